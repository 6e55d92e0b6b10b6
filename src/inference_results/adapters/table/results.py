"""Write results to the inferences table. See docs/decisions/0001-one-conditional-write.md."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from inference_results.adapters.aws.errors import condition_failed, translate_unavailable
from inference_results.adapters.table.index_keys import INDEX_KEYS, IndexKeys
from inference_results.adapters.table.items import from_item, to_item
from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.record.order import CLOCK_TOLERANCE
from inference_results.domain.record.result import Output, Result
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.ports import Disposition

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEY: Final = (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME)
RESULT_ATTRIBUTES: Final = (
    *(Attribute(field.name) for field in fields(Result) if field.name not in KEY),
    *INDEX_KEYS,
)
"""The attributes that a result owns. A new result writes or removes each of them."""

_PROMISED_OUTPUT: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.OUTPUT_LOCATION}"
_PROMISED_FAILURE: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.FAILURE_LOCATION}"

# A result wins if one of these conditions holds ...
_NO_RESULT: Final = f"attribute_not_exists({Attribute.EVENT_ORDER})"
_OLDER_RESULT: Final = f"{Attribute.EVENT_ORDER} < :{Attribute.EVENT_ORDER}"
_SAME_RESULT_WITHOUT_OUTPUT: Final = (
    f"({Attribute.EVENT_ORDER} = :{Attribute.EVENT_ORDER}"
    f" AND attribute_exists({Attribute.OUTPUT_ERROR}))"
)
# ... and it is not of an earlier invocation than the registered one: one of these holds.
_NOT_REGISTERED: Final = f"attribute_not_exists({_PROMISED_OUTPUT})"
_REGISTERED_BEFORE_RESULT: Final = f"{Attribute.SUBMITTED_AT} <= :submitted_before"
_AT_PROMISED_OUTPUT: Final = f"{_PROMISED_OUTPUT} = :output_location"
_AT_PROMISED_FAILURE: Final = f"{_PROMISED_FAILURE} = :failure_location"

_IN_PROGRESS_WITH_SAME_SUBMISSION: Final = (
    f"{Attribute.SUBMISSION}.#order = :seen AND #{Attribute.STATUS} = :in_progress"
)
_SAME_RESULT_UNREAD: Final = (
    f"{Attribute.EVENT_ORDER} = :order AND attribute_exists({Attribute.OUTPUT_ERROR})"
)

_MAX_TIME: Final = datetime.max.replace(tzinfo=UTC)


class ResultStore:
    """Writes results, each with one conditional UpdateItem."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def record(self, result: Result) -> Disposition:
        """Write a result if it wins: RECORDED, else DUPLICATE or SUPERSEDED. Raises Unavailable.

        It must be newer than the recorded result, and must not be of an earlier invocation than the
        registered one. Any order and any duplication of the same results gives the same record.
        """
        wins = [_NO_RESULT, _OLDER_RESULT]
        if result.output_error is None:
            wins.append(_SAME_RESULT_WITHOUT_OUTPUT)
        belongs = [_NOT_REGISTERED, _REGISTERED_BEFORE_RESULT]
        output_location, failure_location = _locations(result)
        submitted_before = result.event_time
        if output_location is None:
            submitted_before = _with_clock_tolerance(submitted_before)
        values: dict[str, Any] = {":submitted_before": submitted_before}
        if output_location is not None:
            belongs.append(_AT_PROMISED_OUTPUT)
            values[":output_location"] = output_location
        if failure_location is not None:
            belongs.append(_AT_PROMISED_FAILURE)
            values[":failure_location"] = failure_location
        winner = self._write(result, [_any_of(wins), _any_of(belongs)], {}, values)
        if winner is None:
            return Disposition.RECORDED
        duplicate = winner.get(Attribute.EVENT_ORDER) == {"S": result.event_order}
        return Disposition.DUPLICATE if duplicate else Disposition.SUPERSEDED

    def finish(self, result: Result, submission_order: str) -> bool:
        """Write a result if the record is still in progress with the same submission.

        Raises Unavailable.
        """
        values = {":seen": submission_order, ":in_progress": Status.IN_PROGRESS}
        names = {"#order": SubmissionMember.ORDER}
        return self._write(result, [_IN_PROGRESS_WITH_SAME_SUBMISSION], names, values) is None

    def schedule_read(
        self, inference_id: str, endpoint_name: str, event_order: str, at: str | None
    ) -> None:
        """Schedule the next read of an output; None for never. Raises Unavailable."""
        index_keys = IndexKeys(
            inference_id=inference_id, endpoint_name=endpoint_name, shards=self._shards
        ).unread(at or "")
        self._update_unread(
            {KEY[0]: inference_id, KEY[1]: endpoint_name},
            "SET #sort = :sort" if at else "REMOVE #shard, #sort",
            {"#sort": Attribute.STATUS_SORT} | ({} if at else {"#shard": Attribute.STATUS_SHARD}),
            {":order": event_order} | ({":sort": index_keys[Attribute.STATUS_SORT]} if at else {}),
        )

    def add_output(
        self, inference_id: str, endpoint_name: str, event_order: str, output: Output
    ) -> bool:
        """Write an output if the record still has the same result. Raises Unavailable."""
        return self._update_unread(
            {KEY[0]: inference_id, KEY[1]: endpoint_name},
            f"SET #output = :output REMOVE {Attribute.OUTPUT_ERROR}, #shard, #sort",
            {
                "#output": Attribute.OUTPUT,
                "#shard": Attribute.STATUS_SHARD,
                "#sort": Attribute.STATUS_SORT,
            },
            {":order": event_order, ":output": asdict(output)},
        )

    def _update_unread(
        self, key: dict[str, Any], update: str, names: Mapping[str, str], values: dict[str, Any]
    ) -> bool:
        """Return False if a newer result or the output was written first."""
        with translate_unavailable("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=to_item(key),
                    UpdateExpression=update,
                    ConditionExpression=_SAME_RESULT_UNREAD,
                    ExpressionAttributeNames=dict(names),
                    ExpressionAttributeValues=to_item(values),
                )
            except ClientError as error:
                if not condition_failed(error):
                    raise
                return False
        return True

    def promised_failure_location(
        self, inference_id: str, endpoint_name: str, event_time: str
    ) -> str | None:
        """Return the failure location in SageMaker's response to the submitter, if recorded.

        None if the notification is of an earlier invocation. Raises Unavailable.
        """
        with translate_unavailable("dynamodb"):
            response = self._client.get_item(
                TableName=self._table_name,
                Key=to_item({KEY[0]: inference_id, KEY[1]: endpoint_name}),
                ProjectionExpression=f"{_PROMISED_FAILURE}, {Attribute.SUBMITTED_AT}",
                ConsistentRead=True,
            )
        item = from_item(response.get("Item", {}))
        if item.get(Attribute.SUBMITTED_AT, "") > _with_clock_tolerance(event_time):
            return None
        submission = item.get(Attribute.SUBMISSION, {})
        location: str | None = submission.get(SubmissionMember.FAILURE_LOCATION)
        return location

    def item(self, result: Result) -> dict[str, Any]:
        """Build the item that a result writes: its key, its attributes and its index keys."""
        index_keys = IndexKeys(
            inference_id=result.inference_id,
            endpoint_name=result.endpoint_name,
            shards=self._shards,
        )
        item = (
            asdict(result)
            | index_keys.by_endpoint(result.event_time)
            | index_keys.by_status(result.status, result.event_time)
        )
        if _has_unread_output(result):
            item |= index_keys.unread(result.recorded_at)
        return to_item(item)

    def _write(
        self,
        result: Result,
        conditions: Sequence[str],
        names: Mapping[str, str],
        values: dict[str, Any],
    ) -> dict[str, Any] | None:
        """Write a result if all conditions hold; else return the existing item, not converted."""
        item = self.item(result)
        key = {str(name): item.pop(name) for name in KEY}
        with translate_unavailable("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=key,
                    UpdateExpression=replace_expression(item, RESULT_ATTRIBUTES),
                    ConditionExpression=" AND ".join(conditions),
                    ExpressionAttributeNames={
                        **names,
                        **{f"#{name}": name for name in RESULT_ATTRIBUTES},
                    },
                    ExpressionAttributeValues=to_item(values)
                    | {f":{name}": value for name, value in item.items()},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if not condition_failed(error):
                    raise
                existing: dict[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
                return existing
        return None


def replace_expression(item: dict[str, Any], owned: Sequence[str]) -> str:
    """Build an update that sets the attributes of `item` and removes other `owned` attributes."""
    removed = [name for name in owned if name not in item]
    update = "SET " + ", ".join(f"#{name} = :{name}" for name in item)
    return update + (" REMOVE " + ", ".join(f"#{name}" for name in removed) if removed else "")


def _any_of(conditions: Sequence[str]) -> str:
    return f"({' OR '.join(conditions)})"


def _with_clock_tolerance(event_time: str) -> str:
    """Return the latest `submitted_at` that a result without an output location can belong to."""
    time = datetime.fromisoformat(event_time)
    return timestamp(min(time, _MAX_TIME - CLOCK_TOLERANCE) + CLOCK_TOLERANCE)


def _locations(result: Result) -> tuple[str | None, str | None]:
    """The locations of the output and of the failure object, as the notification names them."""
    unread = result.output_error.location if result.output_error else None
    if result.failure:
        return None, result.failure.location or unread
    return (result.output.location if result.output else None) or unread, None


def _has_unread_output(result: Result) -> bool:
    """Whether reconciliation should read the output of a Completed result again.

    If the error has its own location, the location was rejected without reading S3, and always is.
    """
    unread = result.output_error is not None and result.output_error.location is None
    return bool(
        result.status == Status.COMPLETED and unread and result.output and result.output.location
    )
