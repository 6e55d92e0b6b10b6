"""The conditions under which a notification's result replaces what a record has."""

from datetime import UTC, datetime
from typing import Final

from inference_results.adapters.table.conditions import (
    Condition,
    at_most,
    equals,
    exists,
    less_than,
    not_exists,
)
from inference_results.adapters.table.record_attributes import PROMISED_FAILURE, PROMISED_OUTPUT
from inference_results.contract import Attribute
from inference_results.domain.record.order import CLOCK_TOLERANCE
from inference_results.domain.record.result import Result
from inference_results.domain.record.timestamps import timestamp

_NO_RESULT: Final = not_exists(Attribute.EVENT_ORDER)
_OUTPUT_IS_UNREAD: Final = exists(Attribute.OUTPUT_ERROR)
_NOT_REGISTERED: Final = not_exists(PROMISED_OUTPUT)

_MAX_TIME: Final = datetime.max.replace(tzinfo=UTC)


def wins(result: Result) -> Condition:
    """The result is newer than the recorded one, or the same and adds its output."""
    older_result = less_than(Attribute.EVENT_ORDER, event_order=result.event_order)
    same_result = equals(Attribute.EVENT_ORDER, event_order=result.event_order)
    condition = _NO_RESULT | older_result
    if result.output_error is None:
        condition |= same_result & _OUTPUT_IS_UNREAD
    return condition


def is_of_registered_invocation(result: Result) -> Condition:
    """The result is not of an earlier invocation than the registered one.

    A result at a promised location never is. For other results, the time decides, with a clock
    tolerance if the result names no output.
    """
    output_location, failure_location = _locations(result)
    submitted_before = result.event_time
    if output_location is None:
        submitted_before = with_clock_tolerance(submitted_before)
    condition = _NOT_REGISTERED | at_most(Attribute.SUBMITTED_AT, submitted_before=submitted_before)
    if output_location is not None:
        condition |= equals(PROMISED_OUTPUT, output_location=output_location)
    if failure_location is not None:
        condition |= equals(PROMISED_FAILURE, failure_location=failure_location)
    return condition


def with_clock_tolerance(event_time: str) -> str:
    """Return the latest `submitted_at` that a result without an output location can belong to."""
    time = datetime.fromisoformat(event_time)
    return timestamp(min(time, _MAX_TIME - CLOCK_TOLERANCE) + CLOCK_TOLERANCE)


def _locations(result: Result) -> tuple[str | None, str | None]:
    """The locations of the output and of the failure object, as the notification names them."""
    unread = result.output_error.location if result.output_error else None
    if result.failure:
        return None, result.failure.location or unread
    return (result.output.location if result.output else None) or unread, None
