"""What is announced of a change of a record: an event for each change of its status.

It follows from the change alone, so a change that is told twice is announced twice alike, with the
same `event_id`. See docs/decisions/0014.
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
"""Of the detail. It rises when a member goes or changes its meaning, not when one is added."""

INLINE_OUTPUT: Final = "output.inline"
"""How `omitted` names an output that did not fit."""

MAX_EVENT_BYTES: Final = 262_144
_ENVELOPE_BYTES: Final = 4_096
"""More than what EventBridge adds to a detail, names and ARNs at their longest."""

DETAIL_TYPES: Final[Mapping[str, DetailType]] = {
    Status.IN_PROGRESS: DetailType.SUBMITTED,
    Status.COMPLETED: DetailType.COMPLETED,
    Status.FAILED: DetailType.FAILED,
    Status.EXPIRED: DetailType.EXPIRED,
    Status.LOST: DetailType.LOST,
}

_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceEvent:
    """One event. Times are timestamps in stored form, `detail` is JSON."""

    event_id: str
    inference_id: str
    endpoint_name: str
    recorded_at: str | None
    detail_type: DetailType
    time: str
    detail: str = field(repr=False)


class _Standing(NamedTuple):
    """What of a record is announced: where it stands, by which event or invocation, since when.

    `place` is where the object of it is, or will be.
    """

    status: str
    order: str
    time: str
    place: str | None


def event_for_change(change: Change, *, custom_attributes: bool) -> InferenceEvent | None:
    """None if the change is none of a status, or one that nobody is told.

    Raises MalformedRecord.
    """
    if change.after is None:
        return None
    validate_record(change.after)
    after = _standing(change.after)
    if after is None or _was_told(change.before or {}, after):
        return None
    event_id = _id(change.after, after)
    previous = _previous_status(change.before)
    return InferenceEvent(
        event_id=event_id,
        inference_id=change.after[Attribute.INFERENCE_ID],
        endpoint_name=change.after[Attribute.ENDPOINT_NAME],
        recorded_at=change.after.get(Attribute.RECORDED_AT),
        detail_type=DETAIL_TYPES.get(after.status, DetailType.STATUS_CHANGED),
        time=after.time,
        detail=_detail(
            {"version": VERSION, "event_id": event_id}
            | ({"previous_status": previous} if previous else {}),
            change.after,
            custom_attributes,
        ),
    )


def result_detail(record: Mapping[str, Any], *, custom_attributes: bool) -> str:
    """The detail of a checked record that has ended, whoever asks and however it came about.

    Raises MalformedRecord.
    """
    event_id = _id(record, _ended(record))
    head = {"version": VERSION, "event_id": event_id}
    return _detail(head, record, custom_attributes)


def _standing(record: Mapping[str, Any]) -> _Standing | None:
    """None for what nobody is told: an attempt, which may be withdrawn, and what was backfilled.

    Raises MalformedRecord.
    """
    if record[Attribute.STATUS] == Status.IN_PROGRESS:
        return _submitted(record)
    standing = _ended(record)
    return None if record.get(Attribute.SOURCE) == Source.BACKFILL else standing


def _ended(record: Mapping[str, Any]) -> _Standing:
    return _Standing(
        record[Attribute.STATUS],
        required_text(record, Attribute.EVENT_ORDER),
        required_text(record, Attribute.EVENT_TIME),
        _location(record),
    )


def _submitted(record: Mapping[str, Any]) -> _Standing | None:
    order = submission_order(record)
    submission = record[Attribute.SUBMISSION]
    if SubmissionMember.STAGE in submission:
        return None
    return _Standing(
        Status.IN_PROGRESS,
        # Without its digest: an invocation that is registered again with other words is the same.
        order.rpartition("\n")[0],
        required_text(record, Attribute.SUBMITTED_AT),
        submission.get(SubmissionMember.OUTPUT_LOCATION),
    )


def _was_told(before: Mapping[str, Any], standing: _Standing) -> bool:
    """Whether the record said the same before."""
    try:
        validate_record(before)
        former = _standing(before)
    except MalformedRecord:
        return False
    if former is None or former.status != standing.status:
        return False
    return former.order == standing.order or _is_of_one_invocation(former, standing)


def _is_of_one_invocation(former: _Standing, standing: _Standing) -> bool:
    """Whether two orders tell one invocation: registered again, or found before it was notified."""
    if standing.status == Status.IN_PROGRESS:
        return former.place is not None and former.place == standing.place
    found, told = (each.order.startswith(UNNOTIFIED) for each in (former, standing))
    # Most failures name no place.
    at_one_place = former.place == standing.place or None in (former.place, standing.place)
    return found and not told and at_one_place


def _location(record: Mapping[str, Any]) -> str | None:
    for name in (Attribute.OUTPUT, Attribute.OUTPUT_ERROR, Attribute.FAILURE):
        location: str | None = record.get(name, {}).get("location")
        if location is not None:
            return location
    return None


def _previous_status(before: Mapping[str, Any] | None) -> str | None:
    status = (before or {}).get(Attribute.STATUS)
    return status if isinstance(status, str) else None


def _id(record: Mapping[str, Any], standing: _Standing) -> str:
    told = [
        record[Attribute.INFERENCE_ID],
        record[Attribute.ENDPOINT_NAME],
        standing.status,
        standing.order,
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_ID_DIGITS]


def _detail(head: Mapping[str, Any], item: Mapping[str, Any], custom_attributes: bool) -> str:
    """As JSON, without the inline output if that does not fit."""
    record = to_api_record(dict(item))
    if not custom_attributes:
        record.pop(Attribute.CUSTOM_ATTRIBUTES, None)
    detail = _json({**head, **record})
    output = record.get(Attribute.OUTPUT, {})
    if not _fits(detail) and "inline" in output:
        reference = {name: each for name, each in output.items() if name != "inline"}
        omitted = {"omitted": [INLINE_OUTPUT], Attribute.OUTPUT.value: reference}
        detail = _json({**head, **record, **omitted})
    if not _fits(detail):
        raise MalformedRecord("larger than a record can be")
    return detail


def _json(detail: Mapping[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":"))


def _fits(detail: str) -> bool:
    return len(detail.encode()) <= MAX_EVENT_BYTES - _ENVELOPE_BYTES
