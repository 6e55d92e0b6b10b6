"""Conditions that compare the record in the table with a registration to write."""

from datetime import datetime
from typing import Final

from inference_results.adapters.table.conditions import (
    Condition,
    differs,
    equals,
    exists,
    less_than,
    not_exists,
    one_of,
    starts_with,
)
from inference_results.adapters.table.record_attributes import PROMISED_OUTPUT, SUBMISSION_ORDER
from inference_results.contract import Attribute
from inference_results.domain.record.order import CLOCK_TOLERANCE, UNNOTIFIED
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.submission import Submission

_OUTPUT: Final = f"{Attribute.OUTPUT}.location"
_FAILURE: Final = f"{Attribute.FAILURE}.location"
_UNREAD: Final = f"{Attribute.OUTPUT_ERROR}.location"

HAS_RECORD: Final = exists(Attribute.INFERENCE_ID)
HAS_RESULT: Final = exists(Attribute.EVENT_ORDER)
_NO_RESULT: Final = not_exists(Attribute.EVENT_ORDER)
_NOT_REGISTERED: Final = not_exists(SUBMISSION_ORDER)
_RESULT_NAMES_OUTPUT: Final = exists(_OUTPUT) | (exists(_UNREAD) & not_exists(Attribute.FAILURE))


def wins(submission: Submission) -> Condition:
    """The registration is newer than the registered one."""
    return _NOT_REGISTERED | less_than(SUBMISSION_ORDER, order=submission.order)


def other_invocation_registered(submission: Submission) -> Condition:
    """The registered output location is another one: each invocation has its own."""
    return exists(PROMISED_OUTPUT) & differs(PROMISED_OUTPUT, **_output_location(submission))


def has_no_result_to_keep(submission: Submission) -> Condition:
    """The record has no result, or one of an earlier invocation than the registration."""
    return (
        _NO_RESULT
        | _output_of_earlier_invocation(submission)
        | _failure_of_earlier_invocation(submission)
        | _unnotified_result_of_other_invocation(submission)
    )


# A result at a location of the submission is never of an earlier invocation. For other results, the
# time decides, with a clock tolerance if the result names no output.


def _output_of_earlier_invocation(submission: Submission) -> Condition:
    ended_before = less_than(Attribute.EVENT_TIME, submitted_at=submission.submitted_at)
    return _RESULT_NAMES_OUTPUT & ~_result_at_promised_location(submission) & ended_before


def _failure_of_earlier_invocation(submission: Submission) -> Condition:
    submitted_at = datetime.fromisoformat(submission.submitted_at)
    ended_before = less_than(
        Attribute.EVENT_TIME, submitted_at_with_tolerance=timestamp(submitted_at - CLOCK_TOLERANCE)
    )
    return ~_RESULT_NAMES_OUTPUT & ~_result_at_promised_location(submission) & ended_before


def _unnotified_result_of_other_invocation(submission: Submission) -> Condition:
    # Whatever its time: a result without a notification was found for the registered submission.
    unnotified = starts_with(Attribute.EVENT_ORDER, unnotified=UNNOTIFIED)
    same_invocation = equals(PROMISED_OUTPUT, **_output_location(submission))
    return unnotified & ~_result_at_promised_location(submission) & ~same_invocation


def _result_at_promised_location(submission: Submission) -> Condition:
    output, failure = _output_location(submission), _failure_location(submission)
    return (
        equals(_OUTPUT, **output)
        | equals(_FAILURE, **failure)
        | one_of(_UNREAD, **output, **failure)
    )


def _output_location(submission: Submission) -> dict[str, str]:
    """The value of a comparison. Without a location, an empty text, which no location is."""
    return {"output_location": submission.output_location or ""}


def _failure_location(submission: Submission) -> dict[str, str]:
    return {"failure_location": submission.failure_location or ""}
