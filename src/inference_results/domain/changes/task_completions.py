"""How a changed record completes the tasks that wait for its inference.

A task completes once its inference has ended: with the change that ends it or, if its token was
added later, with the change that added the token. See docs/decisions/0015-step-functions-tasks.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.changes.events import result_detail
from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import MalformedRecord
from inference_results.domain.record.validation import validate_record

REPLACED: Final = "REPLACED"
"""The error of tasks whose inference id was used again before the inference ended."""

_MAX_ERROR_CHARACTERS: Final = 256
_MAX_CAUSE_CHARACTERS: Final = 32_768
"""Limits of SendTaskFailure."""


@dataclass(frozen=True, slots=True)
class TaskSuccess:
    """`output` is JSON of at most 262,144 bytes."""

    output: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Error and cause as SendTaskFailure takes them."""

    error: str
    cause: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompletion:
    """How one task completes, and for which inference."""

    inference_id: str
    endpoint_name: str
    token: str = field(repr=False)
    outcome: TaskSuccess | TaskFailure


def completions_for_change(change: Change, *, custom_attributes: bool) -> list[TaskCompletion]:
    """The tasks that a change completes, in no order. Raises MalformedRecord."""
    before, after = change.before or {}, change.after
    if after is None:
        return []
    earlier, waiting = _tokens(before), _tokens(after)
    if _has_ended(before):
        completed, replaced = earlier, frozenset[str]()
    else:
        completed, replaced = frozenset[str](), earlier - waiting
    ended = waiting - completed if _has_ended(after) else frozenset[str]()
    if not (ended or replaced):
        return []
    validate_record(after)
    completions = [_completion(after, token, _replaced(after)) for token in replaced]
    if ended:
        outcome = _outcome(after, custom_attributes)
        completions += [_completion(after, token, outcome) for token in ended]
    return completions


def _tokens(record: Mapping[str, Any]) -> frozenset[str]:
    tokens = record.get(Attribute.TASK_TOKENS, frozenset())
    if type(tokens) not in (set, frozenset) or not all(type(each) is str for each in tokens):
        raise MalformedRecord(f"{Attribute.TASK_TOKENS}: expected a string set")
    return frozenset(tokens)


def _has_ended(record: Mapping[str, Any]) -> bool:
    return bool(record.get(Attribute.STATUS, Status.IN_PROGRESS) != Status.IN_PROGRESS)


def _completion(
    record: Mapping[str, Any], token: str, outcome: TaskSuccess | TaskFailure
) -> TaskCompletion:
    return TaskCompletion(
        inference_id=record[Attribute.INFERENCE_ID],
        endpoint_name=record[Attribute.ENDPOINT_NAME],
        token=token,
        outcome=outcome,
    )


def _outcome(record: Mapping[str, Any], custom_attributes: bool) -> TaskSuccess | TaskFailure:
    if _is_of_other_invocation(record):
        return _replaced(record)
    status = record[Attribute.STATUS]
    if status == Status.COMPLETED:
        return TaskSuccess(result_detail(record, custom_attributes=custom_attributes))
    failure = record.get(Attribute.FAILURE, {})
    return _failure(record, failure.get("code") or status, failure.get("reason") or status)


def _is_of_other_invocation(record: Mapping[str, Any]) -> bool:
    """Whether the output is not where SageMaker promised it: the id was used again."""
    found = record.get(Attribute.OUTPUT, {}).get("location")
    promised = record.get(Attribute.SUBMISSION, {}).get(SubmissionMember.OUTPUT_LOCATION)
    return None not in (found, promised) and found != promised


def _replaced(record: Mapping[str, Any]) -> TaskFailure:
    return _failure(record, REPLACED, "the id was used again before this inference ended")


def _failure(record: Mapping[str, Any], error: str, reason: str) -> TaskFailure:
    # The cause names the inference: the state machine knows nothing else about it.
    name = f"{record[Attribute.INFERENCE_ID]} on {record[Attribute.ENDPOINT_NAME]}"
    return TaskFailure(error[:_MAX_ERROR_CHARACTERS], f"{name}: {reason}"[:_MAX_CAUSE_CHARACTERS])
