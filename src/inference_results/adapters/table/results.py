"""Write results to the inferences table. See docs/decisions/0001-one-conditional-write.md."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.table.conditional_writes import UpdateResponse, conditional_update
from inference_results.adapters.table.conditions import Condition, equals, exists
from inference_results.adapters.table.index_keys import IndexKeys
from inference_results.adapters.table.items import from_item, to_item
from inference_results.adapters.table.record_attributes import (
    PROMISED_FAILURE,
    RESULT_ATTRIBUTES,
    SUBMISSION_ORDER,
    record_key,
)
from inference_results.adapters.table.result_conditions import (
    is_of_registered_invocation,
    wins,
    with_clock_tolerance,
)
from inference_results.adapters.table.result_items import result_attributes
from inference_results.adapters.table.updates import Update, replace_attributes
from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.record.result import Output, Result
from inference_results.domain.results.ports import Disposition

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_IN_STATUS_INDEX: Final = (Attribute.STATUS_SHARD, Attribute.STATUS_SORT)


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
        written, item = self._write(result, wins(result) & is_of_registered_invocation(result))
        if written:
            return Disposition.RECORDED
        duplicate = item.get(Attribute.EVENT_ORDER) == {"S": result.event_order}
        return Disposition.DUPLICATE if duplicate else Disposition.SUPERSEDED

    def finish(self, result: Result, submission_order: str) -> bool:
        """Write a result if the record is still in progress with the same submission.

        Raises Unavailable.
        """
        same_submission = equals(SUBMISSION_ORDER, submission_order=submission_order)
        in_progress = equals(Attribute.STATUS, in_progress=Status.IN_PROGRESS)
        return self._write(result, same_submission & in_progress).written

    def schedule_read(
        self, inference_id: str, endpoint_name: str, event_order: str, at: str | None
    ) -> None:
        """Schedule the next read of an output; None for never. Raises Unavailable."""
        update = Update(remove=_IN_STATUS_INDEX)
        if at:
            index_keys = IndexKeys(
                inference_id=inference_id, endpoint_name=endpoint_name, shards=self._shards
            )
            sort = index_keys.unread(at)[Attribute.STATUS_SORT]
            update = Update(set={Attribute.STATUS_SORT: sort})
        self._update_unread(record_key(inference_id, endpoint_name), event_order, update)

    def add_output(
        self, inference_id: str, endpoint_name: str, event_order: str, output: Output
    ) -> bool:
        """Write an output if the record still has the same result. Raises Unavailable."""
        update = Update(
            set={Attribute.OUTPUT: asdict(output)},
            remove=(Attribute.OUTPUT_ERROR, *_IN_STATUS_INDEX),
        )
        return self._update_unread(record_key(inference_id, endpoint_name), event_order, update)

    def promised_failure_location(
        self, inference_id: str, endpoint_name: str, event_time: str
    ) -> str | None:
        """Return the failure location in SageMaker's response to the submitter, if recorded.

        None if the notification is of an earlier invocation. Raises Unavailable.
        """
        with translate_unavailable("dynamodb"):
            response = self._client.get_item(
                TableName=self._table_name,
                Key=to_item(record_key(inference_id, endpoint_name)),
                ProjectionExpression=f"{PROMISED_FAILURE}, {Attribute.SUBMITTED_AT}",
                ConsistentRead=True,
            )
        item = from_item(response.get("Item", {}))
        if item.get(Attribute.SUBMITTED_AT, "") > with_clock_tolerance(event_time):
            return None
        submission = item.get(Attribute.SUBMISSION, {})
        location: str | None = submission.get(SubmissionMember.FAILURE_LOCATION)
        return location

    def item(self, result: Result) -> dict[str, Any]:
        """Build the item that a result writes: its key, its attributes and its index keys."""
        return to_item(_key(result) | result_attributes(result, self._shards))

    def _write(self, result: Result, condition: Condition) -> UpdateResponse:
        """Replace all attributes of a result."""
        update = replace_attributes(result_attributes(result, self._shards), RESULT_ATTRIBUTES)
        return conditional_update(self._client, self._table_name, _key(result), update, condition)

    def _update_unread(self, key: dict[str, Any], event_order: str, update: Update) -> bool:
        """Return False if a newer result or the output was written first."""
        same_result = equals(Attribute.EVENT_ORDER, event_order=event_order)
        unread = exists(Attribute.OUTPUT_ERROR)
        return conditional_update(
            self._client, self._table_name, key, update, same_result & unread
        ).written


def _key(result: Result) -> dict[str, Any]:
    return record_key(result.inference_id, result.endpoint_name)
