"""Typical items of the inferences table, as this service writes them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from inference_results.adapters.table.registrations import RegistrationStore
from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Attribute, Status
from inference_results.domain.record.failure import classify
from inference_results.domain.record.result import Output, Result
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.submission import Submission, as_registration

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""An item in the format of boto3's DynamoDB client: each value under its type."""

SHARDS: Final = 4
_ID: Final = "bf428e1d-f221-55de-a77f-a61755a4d727"
_ENDPOINT: Final = "speech-async-endpoint"
_ENDED: Final = datetime(2026, 1, 25, 12, 1, tzinfo=UTC)
_EXPIRES_AT: Final = 4_000_000_000
_REASON: Final = (
    "ClientError: Received client error (400) from model. See the SageMaker Endpoint logs in your"
    " account for more information."
)


def completed_item(
    inference_id: str = _ID,
    endpoint: str = _ENDPOINT,
    ended: datetime = _ENDED,
    inline: bytes | None = None,
) -> Item:
    """Return the item of a success. By default, the output is only in S3."""
    key = f"async-output/{inference_id}.out"
    output = Output(
        location=f"s3://outputs/{key}",
        bucket="outputs",
        key=key,
        version_id="3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY",
        etag='"9b2cf535f27731c974343645a3985328"',
        size=131_072 if inline is None else len(inline),
        content_type="application/json",
        inline=inline,
    )
    return _item(inference_id, endpoint, ended, Status.COMPLETED, output=output)


def failed_item(
    inference_id: str = _ID, endpoint: str = _ENDPOINT, ended: datetime = _ENDED
) -> Item:
    """Return the item of a failure without a location, as AWS sends most of them."""
    failure = classify(Status.FAILED, _REASON)
    return _item(inference_id, endpoint, ended, Status.FAILED, failure=failure)


def _item(
    inference_id: str, endpoint: str, ended: datetime, status: Status, **outcome: Any
) -> Item:
    result = Result(
        inference_id=inference_id,
        endpoint_name=endpoint,
        status=status,
        event_time=timestamp(ended),
        event_order=f"{timestamp(ended)}\n4\ns3://outputs/{inference_id}.out\n12f90199abd819ad",
        recorded_at=timestamp(ended),
        expires_at=_EXPIRES_AT,
        received_at=timestamp(ended - timedelta(seconds=60)),
        input_location=f"s3://outputs/async-input/{inference_id}",
        content_type="application/json",
        **outcome,
    )
    return ResultStore(cast("DynamoDBClient", None), "", SHARDS).item(result)


def registered_item() -> Item:
    """Return the item of a registered inference in progress."""
    client = _RecordingClient()
    submitted_at = timestamp(_ENDED - timedelta(seconds=60))
    submission = Submission(
        inference_id=_ID,
        endpoint_name=_ENDPOINT,
        submitted_at=submitted_at,
        deadline=timestamp(_ENDED + timedelta(hours=6)),
        recorded_at=submitted_at,
        expires_at=_EXPIRES_AT,
        output_location=f"s3://outputs/async-output/{_ID}.out",
        failure_location=f"s3://outputs/async-failures/{_ID}.out",
        input_location=f"s3://outputs/async-input/{_ID}",
        content_type="application/json",
    )
    store = RegistrationStore(cast("DynamoDBClient", client), "", SHARDS)
    store.register(as_registration(submission))
    return client.item


def with_submission(registered: Item, result: Item) -> Item:
    """Return the item of a result that keeps the attributes of its registration."""
    kept = (Attribute.SUBMITTED_AT, Attribute.DEADLINE, Attribute.SUBMISSION)
    return result | {name: registered[name] for name in kept}


class _RecordingClient:
    """Keeps the item that an update would write to an empty table."""

    item: Item

    def update_item(self, **call: Any) -> Mapping[str, Any]:
        values = call["ExpressionAttributeValues"]
        written = {name: values[f":{name}"] for name in map(str, Attribute) if f":{name}" in values}
        self.item = call["Key"] | written
        return {"Attributes": self.item}
