"""Typical notifications, and the items that this service writes for them."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from benchmarks.notifications import completed
from inference_results.adapters.table.results import ResultStore
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.contract import DEFAULT_RETENTION_DAYS, Attribute
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.record.location import Location
from inference_results.domain.record.result import Result
from inference_results.domain.results.ports import Disposition, Message, ObjectStart
from inference_results.domain.results.record_result import RecordResult
from inference_results.domain.results.response import ReadResponse
from inference_results.domain.submissions.submission import as_registration, build_submission

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""An item in the format of boto3's DynamoDB client: each value under its type."""

BUCKET: Final = "customer-outputs"
ENDPOINT: Final = "speech-async-endpoint"
_RECEIVED: Final = datetime(2026, 1, 25, 12, tzinfo=UTC)
_ENDED: Final = _RECEIVED + timedelta(seconds=60)
_RETENTION: Final = timedelta(days=DEFAULT_RETENTION_DAYS)
_OUTPUT_BYTES: Final = 128 * 1024
"""Too large for an inline output."""
_SHARDS: Final = 4


def inference_id(number: int) -> str:
    """Return a UUID, like SageMaker's ids. The same number always gives the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def _location(number: int) -> str:
    return f"s3://{BUCKET}/output/{uuid.uuid5(uuid.NAMESPACE_URL, str(number))}.out"


def completed_notification(
    number: int, endpoint: str = ENDPOINT, ended: datetime = _ENDED
) -> dict[str, Any]:
    """Build the notification of a success, without the response."""
    return completed(
        inference_id(number),
        _location(number),
        input_location=f"s3://{BUCKET}/input/{number}.json",
        ended=ended,
        endpoint=endpoint,
    )


def failed_notification(
    number: int, endpoint: str = ENDPOINT, ended: datetime = _ENDED
) -> dict[str, Any]:
    """Build the notification of a failure without a location, as AWS sends most of them."""
    notification = completed_notification(number, endpoint, ended)
    del notification["responseParameters"]
    return notification | {
        "invocationStatus": "Failed",
        "failureReason": "ClientError: Received client error (400) from model. See the SageMaker"
        " Endpoint logs in your account for more information.",
    }


def completed_item(number: int = 0) -> Item:
    """Return the item of a success, without an inline output."""
    return _item(completed_notification(number))


def failed_item() -> Item:
    """Return the item of a failure."""
    return _item(failed_notification(0))


def registered_item() -> Item:
    """Return the item of a registered inference in progress."""
    client = _RecordingClient()
    parameters = {
        "endpoint": ENDPOINT,
        "output_location": _location(0),
        "failure_location": _location(0).replace("/output/", "/failures/"),
        "input_location": f"s3://{BUCKET}/input/0.json",
        "content_type": "application/json",
    }
    submission = build_submission(
        inference_id(0), parameters, submitted_at=_RECEIVED, now=_RECEIVED, retention=_RETENTION
    )
    SubmissionStore(cast("DynamoDBClient", client), "", _SHARDS).register(
        as_registration(submission)
    )
    return client.item


def with_submission(registered: Item, result: Item) -> Item:
    """Return the item of a result that keeps the attributes of its registration."""
    kept = (Attribute.SUBMITTED_AT, Attribute.DEADLINE, Attribute.SUBMISSION)
    return result | {name: registered[name] for name in kept}


def _item(notification: dict[str, Any]) -> Item:
    store = _InMemoryStore()
    record_result = RecordResult(
        read=ReadResponse(
            objects=store,
            records=store,
            output_prefixes=(f"s3://{BUCKET}/",),
            inline_output_bytes=1024,
        ),
        records=store,
        rejections=store,
        retention=_RETENTION,
        now=lambda: _ENDED,
    )
    record_result(
        Message(message_id="", body=json.dumps(notification), receive_count=1, queue_arn="")
    )
    return ResultStore(cast("DynamoDBClient", None), "", _SHARDS).item(store.outcome)


class _InMemoryStore:
    """S3 with one object, and a table that keeps the last result."""

    outcome: Result

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        return ObjectStart(
            body=b"x" * limit,
            size=_OUTPUT_BYTES,
            etag='"9b2cf535f27731c974343645a3985328"',
            version_id="3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY",
            content_type="application/json",
        )

    def record(self, outcome: Result) -> Disposition:
        self.outcome = outcome
        return Disposition.RECORDED

    def promised_failure_location(self, *_: str) -> str | None:
        return None

    def reject(self, message: Message, why: Unprocessable) -> None:
        raise why


class _RecordingClient:
    """Keeps the item that an update would write to an empty table."""

    item: Item

    def update_item(self, **call: Any) -> dict[str, Any]:
        values = call["ExpressionAttributeValues"]
        written = {name: values[f":{name}"] for name in map(str, Attribute) if f":{name}" in values}
        self.item = call["Key"] | written
        return {"Attributes": self.item}
