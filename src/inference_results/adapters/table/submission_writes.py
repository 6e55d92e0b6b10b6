"""What registrations and attempts share: their update of a record, with its task tokens.

Task tokens belong to one invocation (docs/decisions/0015-step-functions-tasks.md). The submission
of a new invocation replaces the tokens (SET); any other adds its own (ADD).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from inference_results.adapters.table.conditional_writes import conditional_update
from inference_results.adapters.table.conditions import (
    Condition,
    contains,
    not_exists,
    size_less_than,
)
from inference_results.adapters.table.items import from_item
from inference_results.adapters.table.record_attributes import RESULT_ATTRIBUTES, record_key
from inference_results.adapters.table.submission_items import (
    SUBMISSION_ATTRIBUTES,
    submission_attributes,
)
from inference_results.adapters.table.updates import replace_attributes
from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.record.parameters import MAX_TASK_TOKENS
from inference_results.domain.submissions.submission import Submission

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class Written(NamedTuple):
    """Whether a write was made, and the item as it is now; empty if none exists."""

    written: bool
    item: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SubmissionWrites:
    """Writes the attributes of a submission, each time with one conditional UpdateItem."""

    client: "DynamoDBClient"
    table_name: str
    shards: int

    def put_in_progress(
        self, submission: Submission, condition: Condition, *, is_new_invocation: bool
    ) -> Written:
        """Replace all attributes of a result and a submission with those of the submission."""
        return self.update(
            submission,
            submission_attributes(submission, self.shards),
            (*RESULT_ATTRIBUTES, *SUBMISSION_ATTRIBUTES),
            condition,
            is_new_invocation=is_new_invocation,
        )

    def put_submission(
        self, submission: Submission, condition: Condition, *, is_new_invocation: bool
    ) -> Written:
        """Replace the attributes of a submission, and keep those of the result."""
        attributes = submission_attributes(submission, self.shards)
        return self.update(
            submission,
            {name: attributes[name] for name in SUBMISSION_ATTRIBUTES},
            SUBMISSION_ATTRIBUTES,
            condition,
            is_new_invocation=is_new_invocation,
        )

    def add_token(self, submission: Submission, condition: Condition) -> Written:
        """Add the task token, and keep everything else."""
        return self.update(submission, {}, (), condition, is_new_invocation=False)

    def update(
        self,
        submission: Submission,
        attributes: Mapping[str, Any],
        owned: Sequence[str],
        condition: Condition,
        *,
        is_new_invocation: bool,
    ) -> Written:
        """Replace the owned attributes, and replace the task tokens or add one.

        Raises Unavailable.
        """
        token = submission.task_token
        tokens: dict[str, Any] = {Attribute.TASK_TOKENS: {token} if token else None}
        if is_new_invocation:
            update = replace_attributes({**attributes, **tokens}, (*owned, *tokens))
        else:
            update = replace_attributes(attributes, owned)
            if token:
                update = replace(update, add=tokens)
                condition &= _has_room_for(token)
        response = conditional_update(
            self.client,
            self.table_name,
            record_key(submission.inference_id, submission.endpoint_name),
            update,
            condition,
            return_item=True,
        )
        return Written(response.written, from_item(response.item))


def order_of(item: Mapping[str, Any]) -> str:
    """The order of an item's submission. An empty text, which sorts first, if it has none."""
    order: str = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.ORDER, "")
    return order


def _has_room_for(token: str) -> Condition:
    return (
        not_exists(Attribute.TASK_TOKENS)
        | contains(Attribute.TASK_TOKENS, token=token)
        | size_less_than(Attribute.TASK_TOKENS, max_tokens=MAX_TASK_TOKENS)
    )
