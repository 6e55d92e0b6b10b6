"""Write registrations to the inferences table.

A record holds a submission and a result side by side, and each is a last-writer-wins register
(docs/decisions/0011-registrations-beside-results.md). One conditional UpdateItem writes a
registration, in one of two ways:

- `_start`: there is no result, or only one of an earlier invocation. The record becomes InProgress.
- `_attach`: there is a result of this invocation or a later one. It stays.

One UpdateItem cannot choose between replacing the record's task tokens and adding one. So a write
assumes one, its condition checks the assumption, and `register` retries with the other. The
assumption is named `is_new_invocation`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.table.conditions import Condition
from inference_results.adapters.table.registration_conditions import (
    HAS_RECORD,
    HAS_RESULT,
    has_no_result_to_keep,
    other_invocation_registered,
    wins,
)
from inference_results.adapters.table.submission_writes import SubmissionWrites, Written, order_of
from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.record.errors import InvalidParameter, Unavailable
from inference_results.domain.record.parameters import MAX_TASK_TOKENS, TASK_TOKEN
from inference_results.domain.submissions.submission import Submission

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_MAX_ATTEMPTS: Final = 5
"""Limits how often `register` tries: other writers can change the record between its writes."""


class RegistrationStore:
    """Writes registrations and adds task tokens, each with one conditional write."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._writes = SubmissionWrites(client, table_name, shards)

    def register(self, submission: Submission) -> dict[str, Any]:
        """Write a registration, and return the item as it is afterwards.

        If the record has the same registration or a later one, only the task token is added. Raises
        InvalidParameter if it has no room for the token, or belongs to a later invocation than the
        token; Unavailable if other writers keep changing the record.
        """
        item: dict[str, Any] = {}
        for _ in range(_MAX_ATTEMPTS):
            is_new_invocation = _is_of_other_invocation(item, submission)
            started, item = self._start(submission, is_new_invocation=is_new_invocation)
            if started:
                return item
            if order_of(item) >= submission.order:
                written = self._add_token_if_any(submission, item)
            elif _is_of_other_invocation(item, submission) != is_new_invocation:
                continue  # The assumption was wrong: retry with the other.
            else:
                written = self._attach(submission, is_new_invocation=is_new_invocation)
            if written:
                return written
        raise Unavailable("dynamodb", "Contended")

    def add_token(self, submission: Submission) -> dict[str, Any]:
        """Add the task token to the record, and return the item as it is afterwards.

        Returns an empty item if no record exists, or one of another invocation. Raises
        InvalidParameter if it has no room for the token; Unavailable.
        """
        condition = HAS_RECORD
        # An attempt has no output location yet, and its id is used for no other invocation.
        if submission.output_location:
            condition &= ~other_invocation_registered(submission)
        added, item = self._writes.add_token(submission, condition)
        if not added and not (
            submission.output_location and _is_of_other_invocation(item, submission)
        ):
            _check_room_for_token(submission, item)
        return item if added else {}

    def _add_token_if_any(self, submission: Submission, item: dict[str, Any]) -> dict[str, Any]:
        """Add the task token to an item with the same registration or a later one."""
        if submission.task_token is None:
            return item
        if _is_of_other_invocation(item, submission):
            raise InvalidParameter(
                TASK_TOKEN.name, "the token of a task that waits for this id's latest invocation"
            )
        return self.add_token(submission)

    def _start(self, submission: Submission, *, is_new_invocation: bool) -> Written:
        """Make the record InProgress, unless it has a later registration or a result to keep."""
        condition = wins(submission) & has_no_result_to_keep(submission)
        condition &= _invocation_condition(submission, is_new_invocation)
        return self._writes.put_in_progress(
            submission, condition, is_new_invocation=is_new_invocation
        )

    def _attach(self, submission: Submission, *, is_new_invocation: bool) -> dict[str, Any]:
        """Write the registration beside the result. Returns an empty item if the record changed."""
        condition = wins(submission) & HAS_RESULT
        condition &= _invocation_condition(submission, is_new_invocation)
        attached, item = self._writes.put_submission(
            submission, condition, is_new_invocation=is_new_invocation
        )
        if not attached and not is_new_invocation:
            _check_room_for_token(submission, item)
        return item if attached else {}


def _invocation_condition(submission: Submission, is_new_invocation: bool) -> Condition:
    is_other = other_invocation_registered(submission)
    return is_other if is_new_invocation else ~is_other


def _is_of_other_invocation(item: Mapping[str, Any], submission: Submission) -> bool:
    """Whether the registered output location is another one. The same as the condition above."""
    location = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.OUTPUT_LOCATION)
    return location is not None and location != (submission.output_location or "")


def _check_room_for_token(submission: Submission, item: Mapping[str, Any]) -> None:
    """Raise InvalidParameter if the item has the maximum of task tokens, all of them others."""
    tokens = item.get(Attribute.TASK_TOKENS, ())
    if submission.task_token not in (None, *tokens) and len(tokens) >= MAX_TASK_TOKENS:
        raise InvalidParameter(TASK_TOKEN.name, f"at most {MAX_TASK_TOKENS} for one inference")
