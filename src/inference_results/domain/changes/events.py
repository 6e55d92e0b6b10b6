"""The event that a changed record gives rise to: one for each change of its status.

An event follows from the change alone. The same change always gives the same event, with the same
`event_id`. See docs/decisions/0014-published-events.md.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from inference_results.contract import Attribute, DetailType, Status, SubmissionMember
from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import MalformedRecord
from inference_results.domain.record.order import UNNOTIFIED
from inference_results.domain.record.result import Source
from inference_results.domain.record.validation import (
    required_text,
    submission_order,
    validate_record,
)
from inference_results.domain.record.view import to_api_record

VERSION: Final = 1
"""Version of the detail. It rises if a property is removed or changes its meaning."""

INLINE_OUTPUT: Final = "output.inline"
"""What `omitted` names if the inline output did not fit."""

MAX_EVENT_BYTES: Final = 262_144
_ENVELOPE_BYTES: Final = 4_096
"""More than EventBridge adds to a detail, with the longest names and ARNs."""

DETAIL_TYPES: Final[Mapping[str, DetailType]] = {
    Status.IN_PROGRESS: DetailType.SUBMITTED,
    Status.COMPLETED: DetailType.COMPLETED,
    Status.FAILED: DetailType.FAILED,
    Status.EXPIRED: DetailType.EXPIRED,
    Status.LOST: DetailType.LOST,
}

_EVENT_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceEvent:
    """One event. Times are timestamps, `detail` is JSON."""

    event_id: str
    inference_id: str
    endpoint_name: str
    recorded_at: str | None
    detail_type: DetailType
    time: str
    detail: str = field(repr=False)


class _State(NamedTuple):
    """What a record says about its status. `location` is where its object is, or will be."""

    status: str
    order: str
    time: str
    location: str | None


def event_for_change(change: Change, *, custom_attributes: bool) -> InferenceEvent | None:
    """The event of a change; None if the status did not change, or is not published.

    Raises MalformedRecord.
    """
    if change.after is None:
        return None
    validate_record(change.after)
    after = _published_state(change.after)
    if after is None or _was_published(change.before or {}, after):
        return None
    event_id = _event_id(change.after, after)
    head = {"version": VERSION, "event_id": event_id}
    if previous := _previous_status(change.before):
        head["previous_status"] = previous
    return InferenceEvent(
        event_id=event_id,
        inference_id=change.after[Attribute.INFERENCE_ID],
        endpoint_name=change.after[Attribute.ENDPOINT_NAME],
        recorded_at=change.after.get(Attribute.RECORDED_AT),
        detail_type=DETAIL_TYPES.get(after.status, DetailType.STATUS_CHANGED),
        time=after.time,
        detail=_detail(head, change.after, custom_attributes),
    )


def result_detail(record: Mapping[str, Any], *, custom_attributes: bool) -> str:
    """The event detail of a valid record that has ended. Raises MalformedRecord."""
    head = {"version": VERSION, "event_id": _event_id(record, _ended_state(record))}
    return _detail(head, record, custom_attributes)


def _published_state(record: Mapping[str, Any]) -> _State | None:
    """None for an attempt, which can be withdrawn, and for a backfilled record."""
    if record[Attribute.STATUS] == Status.IN_PROGRESS:
        return _submitted_state(record)
    state = _ended_state(record)
    return None if record.get(Attribute.SOURCE) == Source.BACKFILL else state


def _ended_state(record: Mapping[str, Any]) -> _State:
    return _State(
        record[Attribute.STATUS],
        required_text(record, Attribute.EVENT_ORDER),
        required_text(record, Attribute.EVENT_TIME),
        _location(record),
    )


def _submitted_state(record: Mapping[str, Any]) -> _State | None:
    order = submission_order(record)
    submission = record[Attribute.SUBMISSION]
    if SubmissionMember.STAGE in submission:
        return None
    return _State(
        Status.IN_PROGRESS,
        # Without its digest: registering an invocation again with other details is no new event.
        order.rpartition("\n")[0],
        required_text(record, Attribute.SUBMITTED_AT),
        submission.get(SubmissionMember.OUTPUT_LOCATION),
    )


def _was_published(before: Mapping[str, Any], state: _State) -> bool:
    """Whether the record before the change had the same state."""
    try:
        validate_record(before)
        former = _published_state(before)
    except MalformedRecord:
        return False
    if former is None or former.status != state.status:
        return False
    return former.order == state.order or _is_same_invocation(former, state)


def _is_same_invocation(former: _State, state: _State) -> bool:
    """Whether both states are of one invocation: registered twice, or found, then notified."""
    if state.status == Status.IN_PROGRESS:
        return former.location is not None and former.location == state.location
    found = former.order.startswith(UNNOTIFIED)
    notified = not state.order.startswith(UNNOTIFIED)
    # Most failures have no location.
    same_location = former.location == state.location or None in (former.location, state.location)
    return found and notified and same_location


def _location(record: Mapping[str, Any]) -> str | None:
    for name in (Attribute.OUTPUT, Attribute.OUTPUT_ERROR, Attribute.FAILURE):
        location: str | None = record.get(name, {}).get("location")
        if location is not None:
            return location
    return None


def _previous_status(before: Mapping[str, Any] | None) -> str | None:
    status = (before or {}).get(Attribute.STATUS)
    return status if isinstance(status, str) else None


def _event_id(record: Mapping[str, Any], state: _State) -> str:
    identity = [
        record[Attribute.INFERENCE_ID],
        record[Attribute.ENDPOINT_NAME],
        state.status,
        state.order,
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:_EVENT_ID_DIGITS]


def _detail(head: Mapping[str, Any], item: Mapping[str, Any], custom_attributes: bool) -> str:
    """JSON without the inline output if that does not fit. Raises MalformedRecord."""
    record = to_api_record(item)
    if not custom_attributes:
        record.pop(Attribute.CUSTOM_ATTRIBUTES, None)
    detail = _json({**head, **record})
    output = record.get(Attribute.OUTPUT, {})
    if not _fits(detail) and "inline" in output:
        reference = {name: each for name, each in output.items() if name != "inline"}
        omitted = {"omitted": [INLINE_OUTPUT], Attribute.OUTPUT.value: reference}
        detail = _json({**head, **record, **omitted})
    if not _fits(detail):
        raise MalformedRecord(f"the record exceeds {MAX_EVENT_BYTES} bytes without its output")
    return detail


def _json(detail: Mapping[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":"))


def _fits(detail: str) -> bool:
    return len(detail.encode()) <= MAX_EVENT_BYTES - _ENVELOPE_BYTES
