"""Write attempts to submit to the inferences table."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.table.conditional_writes import conditional_delete
from inference_results.adapters.table.conditions import at_most, equals, not_exists, one_of
from inference_results.adapters.table.items import from_item, to_item
from inference_results.adapters.table.record_attributes import (
    SUBMISSION_ORDER,
    SUBMISSION_STAGE,
    record_key,
)
from inference_results.adapters.table.submission_writes import SubmissionWrites, order_of
from inference_results.contract import Attribute, Status
from inference_results.domain.submissions.submission import Stage, Submission

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class AttemptStore:
    """Creates, claims, withdraws and reads attempts, each with one call."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._writes = SubmissionWrites(client, table_name, shards)

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        """Write an attempt if no record exists, or one past its retention. Raises Unavailable.

        Returns None if the record has this attempt, else the existing item. botocore's retry of a
        write whose response was lost finds its own item: the order identifies the attempt.
        """
        now = datetime.fromisoformat(attempt.recorded_at)
        no_record = not_exists(Attribute.INFERENCE_ID)
        past_retention = at_most(Attribute.EXPIRES_AT, now=int(now.timestamp()))
        _, item = self._writes.put_in_progress(
            attempt, no_record | past_retention, is_new_invocation=True
        )
        return None if order_of(item) == attempt.order else item

    def claim(self, attempt: Submission) -> bool:
        """Claim a prepared invocation. Returns whether this attempt has it. Raises Unavailable.

        If reconciliation has ended the record as Lost, it becomes InProgress again.
        """
        prepared = equals(SUBMISSION_STAGE, preparing=Stage.PREPARING)
        without_result = one_of(Attribute.STATUS, in_progress=Status.IN_PROGRESS, lost=Status.LOST)
        _, item = self._writes.put_in_progress(
            attempt, prepared & without_result, is_new_invocation=False
        )
        # Not whether the write succeeded: botocore's retry fails if a response was lost.
        return order_of(item) == attempt.order

    def withdraw(self, attempt: Submission) -> None:
        """Delete the record of an attempt that invoked nothing. Raises Unavailable.

        A record with a result or with another attempt stays.
        """
        unchanged = equals(SUBMISSION_ORDER, order=attempt.order)
        no_result = not_exists(Attribute.EVENT_ORDER)
        key = record_key(attempt.inference_id, attempt.endpoint_name)
        conditional_delete(self._client, self._table_name, key, unchanged & no_result)

    def item(self, inference_id: str, endpoint_name: str) -> dict[str, Any]:
        """Read an item, consistently; empty if no record exists. Raises Unavailable."""
        with translate_unavailable("dynamodb"):
            response = self._client.get_item(
                TableName=self._table_name,
                Key=to_item(record_key(inference_id, endpoint_name)),
                ConsistentRead=True,
            )
        return from_item(response.get("Item", {}))
