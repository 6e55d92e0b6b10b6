"""Whether an item of the table is a record as this service writes it.

Whoever may write to the table may write anything; what is shown to others is checked before.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.errors import MalformedRecord
from inference_results.domain.inference import Failure, Output, OutputError
from inference_results.domain.parameters import ENDPOINT_NAME, INFERENCE_ID
from inference_results.domain.timestamp import parse_timestamp

_TIMES: Final = (
    Attribute.SUBMITTED_AT,
    Attribute.RECEIVED_AT,
    Attribute.EVENT_TIME,
    Attribute.RECORDED_AT,
    Attribute.DEADLINE,
)
_TEXTS: Final = (
    Attribute.INPUT_LOCATION,
    Attribute.CONTENT_TYPE,
    Attribute.SOURCE,
    Attribute.CUSTOM_ATTRIBUTES,
    Attribute.EVENT_ORDER,
)
_MAPS: Final = {
    Attribute.OUTPUT: Output,
    Attribute.OUTPUT_ERROR: OutputError,
    Attribute.FAILURE: Failure,
}
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999."""


def check_record(item: Mapping[str, Any]) -> None:
    """Raises MalformedRecord, which names the attribute and not its value.

    An attribute that no reader is shown may hold anything.
    """
    for parameter in (INFERENCE_ID, ENDPOINT_NAME):
        name = Attribute(parameter.name)
        _expect(parameter.admits(item.get(name)), name)
    status = item.get(Attribute.STATUS)
    _expect(type(status) is str and status != "", Attribute.STATUS)
    for name in _TIMES:
        _expect(name not in item or _is_time(item[name]), name)
    for name in _TEXTS:
        _expect(type(item.get(name, "")) is str, name)
    for name, kind in _MAPS.items():
        _expect(name not in item or _is_written_as(kind, item[name]), name)
    for name in (Attribute.CALLER_METADATA, Attribute.SUBMISSION):
        each = item.get(name, {})
        _expect(type(each) is dict and _are_texts(each.values()), name)
    ignored = item.get(Attribute.IGNORED_FIELDS, [])
    _expect(type(ignored) is list and _are_texts(ignored), Attribute.IGNORED_FIELDS)
    expires_at = item.get(Attribute.EXPIRES_AT, 1)
    _expect(
        type(expires_at) is int and 0 < expires_at <= _LAST_SECOND,
        Attribute.EXPIRES_AT,
    )


def submission_order(item: Mapping[str, Any]) -> str:
    """Of the submission in a checked record; raises MalformedRecord if it has none."""
    order = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.ORDER, "")
    _expect(order != "", Attribute.SUBMISSION)
    return str(order)


def present(item: Mapping[str, Any], name: Attribute) -> str:
    """A text of a checked record; raises MalformedRecord if it is not there."""
    _expect(name in item, name)
    return str(item[name])


def _expect(held: bool, name: Attribute) -> None:
    if not held:
        raise MalformedRecord(f"{name}: not as this service writes it")


def _is_time(value: Any) -> bool:
    try:
        return type(value) is str and parse_timestamp(value) == value
    except ValueError:
        return False


def _are_texts(values: Any) -> bool:
    return all(type(each) is str for each in values)


def _is_written_as(kind: type, value: Any) -> bool:
    """Whether a map has the fields of a dataclass, and no others."""
    if type(value) is not dict:
        return False
    hints = get_type_hints(kind)
    required = {field.name for field in fields(kind) if field.default is MISSING}
    return required <= value.keys() <= hints.keys() and all(
        type(each) in _kinds(hints[name]) for name, each in value.items()
    )


def _kinds(hint: Any) -> tuple[type, ...]:
    return tuple(each for each in (get_args(hint) or (hint,)) if each is not NoneType)
