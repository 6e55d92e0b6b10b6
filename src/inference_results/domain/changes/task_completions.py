"""What the tasks of state machines that wait for an inference are told of a change of its record.

A task is told once its inference has ended: with the change that ends it, or, where its token came
later, with the change that added the token. See docs/decisions/0015.
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
"""The error where the record became that of another invocation before this one had ended."""

_MOST_ERROR: Final = 256
_MOST_CAUSE: Final = 32_768
"""Characters that Step Functions takes."""


@dataclass(frozen=True, slots=True)
class TaskSuccess:
    """`output` is JSON, of at most 262,144 bytes."""

    output: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """As Step Functions takes it."""

    error: str
    cause: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompletion:
    """The answer to one task, and of which inference it is."""

    inference_id: str
    endpoint_name: str
    token: str = field(repr=False)
    outcome: TaskSuccess | TaskFailure


def completions_for_change(change: Change, *, custom_attributes: bool) -> list[TaskCompletion]:
    """To each token that a record has had unanswered until this change; in no order.

    Raises MalformedRecord.
    """
    before, after = change.before or {}, change.after
    if after is None:
        return []
    answered, waiting = _tokens(before), _tokens(after)
    if not _has_ended(before):
        replaced, answered = answered - waiting, frozenset[str]()
    else:
        replaced = frozenset()
    new = waiting - answered if _has_ended(after) else frozenset[str]()
    if not (new or replaced):
        return []
    validate_record(after)
    answers = [_answer(after, token, _replaced(after)) for token in replaced]
    if new:
        outcome = _outcome(after, custom_attributes)
        answers += [_answer(after, token, outcome) for token in new]
    return answers


def _tokens(record: Mapping[str, Any]) -> frozenset[str]:
    tokens = record.get(Attribute.TASK_TOKENS, frozenset())
    if type(tokens) not in (set, frozenset) or not all(type(each) is str for each in tokens):
        raise MalformedRecord(f"{Attribute.TASK_TOKENS}: not as this service writes it")
    return frozenset(tokens)


def _has_ended(record: Mapping[str, Any]) -> bool:
    return bool(record.get(Attribute.STATUS, Status.IN_PROGRESS) != Status.IN_PROGRESS)


def _answer(
    record: Mapping[str, Any], token: str, outcome: TaskSuccess | TaskFailure
) -> TaskCompletion:
    return TaskCompletion(
        inference_id=record[Attribute.INFERENCE_ID],
        endpoint_name=record[Attribute.ENDPOINT_NAME],
        token=token,
        outcome=outcome,
    )


def _outcome(record: Mapping[str, Any], custom_attributes: bool) -> TaskSuccess | TaskFailure:
    if _is_of_another(record):
        return _replaced(record)
    status = record[Attribute.STATUS]
    if status == Status.COMPLETED:
        return TaskSuccess(result_detail(record, custom_attributes=custom_attributes))
    failure = record.get(Attribute.FAILURE, {})
    return _failure(record, failure.get("code") or status, failure.get("reason") or status)


def _is_of_another(record: Mapping[str, Any]) -> bool:
    """Whether the output is none of the invocation that was submitted: the id was used again."""
    found = record.get(Attribute.OUTPUT, {}).get("location")
    awaited = record.get(Attribute.SUBMISSION, {}).get(SubmissionMember.OUTPUT_LOCATION)
    return None not in (found, awaited) and found != awaited


def _replaced(record: Mapping[str, Any]) -> TaskFailure:
    return _failure(record, REPLACED, "the id was used again before this invocation had ended")


def _failure(record: Mapping[str, Any], error: str, reason: str) -> TaskFailure:
    """Whoever reads the cause has nothing else that names the inference."""
    name = f"{record[Attribute.INFERENCE_ID]} on {record[Attribute.ENDPOINT_NAME]}"
    return TaskFailure(error[:_MOST_ERROR], f"{name}: {reason}"[:_MOST_CAUSE])
