"""The table of inferences, as outcomes are written."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from inference_results.adapters.aws.calls import condition_failed, translate_unavailable
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
"""Every attribute that an outcome owns: written, or removed where the outcome lacks it."""

_NEVER_RECORDED: Final = f"attribute_not_exists({Attribute.EVENT_ORDER})"
_RECORDED_WITH_LOWER_ORDER: Final = f"{Attribute.EVENT_ORDER} < :{Attribute.EVENT_ORDER}"
_RECORDED_WITHOUT_ITS_OUTPUT: Final = (
    f"({Attribute.EVENT_ORDER} = :{Attribute.EVENT_ORDER}"
    f" AND attribute_exists({Attribute.OUTPUT_ERROR}))"
)
_SUBMITTED: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.OUTPUT_LOCATION}"
_SUBMITTED_FAILURE: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.FAILURE_LOCATION}"
_NOTHING_SUBMITTED: Final = f"attribute_not_exists({_SUBMITTED})"
_SUBMITTED_BEFORE: Final = f"{Attribute.SUBMITTED_AT} <= :submitted_before"
_OF_THE_SUBMISSION_SEEN: Final = (
    f"{Attribute.SUBMISSION}.#order = :seen AND #{Attribute.STATUS} = :in_progress"
)

_LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)


class ResultStore:
    """Writes outcomes, conditionally."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def record(self, outcome: Result) -> Disposition:
        """One conditional UpdateItem: any order and duplication of events ends in one record.

        The event must be newer than the one that is recorded, and must not be that of an
        invocation before the one that was submitted last.
        """
        wins = [_NEVER_RECORDED, _RECORDED_WITH_LOWER_ORDER]
        if outcome.output_error is None:
            wins.append(_RECORDED_WITHOUT_ITS_OUTPUT)
        belongs = [_NOTHING_SUBMITTED, _SUBMITTED_BEFORE]
        output_location, failure_location = _locations(outcome)
        latest = outcome.event_time
        if output_location is None:
            latest = _latest_submission(latest)
        values: dict[str, Any] = {":submitted_before": latest}
        if output_location is not None:
            belongs.append(f"{_SUBMITTED} = :output_location")
            values[":output_location"] = output_location
        if failure_location is not None:
            belongs.append(f"{_SUBMITTED_FAILURE} = :failure_location")
            values[":failure_location"] = failure_location
        winner = self._write(outcome, [_any_of(wins), _any_of(belongs)], {}, values)
        if winner is None:
            return Disposition.RECORDED
        duplicate = winner.get(Attribute.EVENT_ORDER) == {"S": outcome.event_order}
        return Disposition.DUPLICATE if duplicate else Disposition.SUPERSEDED

    def settle(self, outcome: Result, submission_order: str) -> bool:
        """Write what no event told, if the record is still in progress with that submission."""
        values = {":seen": submission_order, ":in_progress": Status.IN_PROGRESS}
        names = {"#order": SubmissionMember.ORDER}
        return self._write(outcome, [_OF_THE_SUBMISSION_SEEN], names, values) is None

    def look_again(
        self, inference_id: str, endpoint_name: str, event_order: str, at: str | None
    ) -> None:
        """Name the time of the next look at an output that could not be read; None for never."""
        places = IndexKeys(
            inference_id=inference_id, endpoint_name=endpoint_name, shards=self._shards
        ).unread(at or "")
        self._change_unread(
            {KEY[0]: inference_id, KEY[1]: endpoint_name},
            "SET #sort = :sort" if at else "REMOVE #shard, #sort",
            {"#sort": Attribute.STATUS_SORT} | ({} if at else {"#shard": Attribute.STATUS_SHARD}),
            {":order": event_order} | ({":sort": places[Attribute.STATUS_SORT]} if at else {}),
        )

    def fill_in(
        self, inference_id: str, endpoint_name: str, event_order: str, output: Output
    ) -> bool:
        """Write an output that can be read now, if the record is still that of the event."""
        return self._change_unread(
            {KEY[0]: inference_id, KEY[1]: endpoint_name},
            f"SET #output = :output REMOVE {Attribute.OUTPUT_ERROR}, #shard, #sort",
            {
                "#output": Attribute.OUTPUT,
                "#shard": Attribute.STATUS_SHARD,
                "#sort": Attribute.STATUS_SORT,
            },
            {":order": event_order, ":output": asdict(output)},
        )

    def _change_unread(
        self, key: dict[str, Any], update: str, names: Mapping[str, str], values: dict[str, Any]
    ) -> bool:
        """False if an event came in the meantime, or the output was filled in."""
        with translate_unavailable("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=to_item(key),
                    UpdateExpression=update,
                    ConditionExpression=(
                        f"{Attribute.EVENT_ORDER} = :order"
                        f" AND attribute_exists({Attribute.OUTPUT_ERROR})"
                    ),
                    ExpressionAttributeNames=dict(names),
                    ExpressionAttributeValues=to_item(values),
                )
            except ClientError as error:
                if not condition_failed(error):
                    raise
                return False
        return True

    def submitted_failure_location(
        self, inference_id: str, endpoint_name: str, event_time: str
    ) -> str | None:
        """The failure location that the submitter was given, where that was recorded.

        None if the event is that of an earlier invocation.
        """
        with translate_unavailable("dynamodb"):
            answer = self._client.get_item(
                TableName=self._table_name,
                Key=to_item({KEY[0]: inference_id, KEY[1]: endpoint_name}),
                ProjectionExpression=f"{_SUBMITTED_FAILURE}, {Attribute.SUBMITTED_AT}",
                ConsistentRead=True,
            )
        item = from_item(answer.get("Item", {}))
        if item.get(Attribute.SUBMITTED_AT, "") > _latest_submission(event_time):
            return None
        submission = item.get(Attribute.SUBMISSION, {})
        location: str | None = submission.get(SubmissionMember.FAILURE_LOCATION)
        return location

    def item(self, outcome: Result) -> dict[str, Any]:
        """What is written of an outcome: its attributes, and its places in the indexes."""
        places = IndexKeys(
            inference_id=outcome.inference_id,
            endpoint_name=outcome.endpoint_name,
            shards=self._shards,
        )
        item = (
            asdict(outcome)
            | places.by_endpoint(outcome.event_time)
            | places.by_status(outcome.status, outcome.event_time)
        )
        if _may_be_readable_later(outcome):
            item |= places.unread(outcome.recorded_at)
        return to_item(item)

    def _write(
        self,
        outcome: Result,
        conditions: Sequence[str],
        names: Mapping[str, str],
        values: dict[str, Any],
    ) -> dict[str, Any] | None:
        """None if all conditions held, else the item that is there, in DynamoDB's form."""
        item = self.item(outcome)
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
                found: dict[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
                return found
        return None


def replace_expression(item: dict[str, Any], owned: Sequence[str]) -> str:
    """An update that writes an item's attributes, and removes those of `owned` that it lacks."""
    removed = [name for name in owned if name not in item]
    update = "SET " + ", ".join(f"#{name} = :{name}" for name in item)
    return update + (" REMOVE " + ", ".join(f"#{name}" for name in removed) if removed else "")


def _any_of(conditions: Sequence[str]) -> str:
    return f"({' OR '.join(conditions)})"


def _latest_submission(event_time: str) -> str:
    """Until when the invocation of an event that names no output may have been submitted."""
    moment = datetime.fromisoformat(event_time)
    return timestamp(min(moment, _LAST_MOMENT - CLOCK_TOLERANCE) + CLOCK_TOLERANCE)


def _locations(outcome: Result) -> tuple[str | None, str | None]:
    """Of the output and of the failure object, as the event names them."""
    error = outcome.output_error.location if outcome.output_error else None
    if outcome.failure:
        return None, outcome.failure.location or error
    return (outcome.output.location if outcome.output else None) or error, None


def _may_be_readable_later(outcome: Result) -> bool:
    """S3 was asked for a completed output and refused; elsewhere it is not asked again."""
    unread = outcome.output_error is not None and outcome.output_error.location is None
    return bool(
        outcome.status == Status.COMPLETED and unread and outcome.output and outcome.output.location
    )
