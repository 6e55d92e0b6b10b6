"""Checks whether an item of the table is a record as this service writes it.

Other writers can store anything in the table, so a record is validated before it is published.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.record.definition import ATTRIBUTE_TYPES, Timestamp
from inference_results.domain.record.errors import MalformedRecord
from inference_results.domain.record.parameters import ENDPOINT_NAME, INFERENCE_ID
from inference_results.domain.record.timestamps import parse_timestamp
from inference_results.domain.record.view import MAX_EPOCH_SECONDS

_REQUIRED: Final = (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME, Attribute.STATUS)


def validate_record(item: Mapping[str, Any]) -> None:
    """Raise MalformedRecord, which names the attribute and never its value.

    Attributes that are not public are not checked, except for the event order.
    """
    for name in _REQUIRED:
        _expect(name in item, name)
    for name, is_valid in _CHECKS.items():
        _expect(name not in item or is_valid(item[name]), name)


def submission_order(item: Mapping[str, Any]) -> str:
    """The order of a valid record's submission. Raises MalformedRecord if it has none."""
    order = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.ORDER, "")
    _expect(order != "", Attribute.SUBMISSION)
    return str(order)


def required_text(item: Mapping[str, Any], name: Attribute) -> str:
    """A text of a valid record. Raises MalformedRecord if it is missing."""
    _expect(name in item, name)
    return str(item[name])


def _expect(valid: bool, name: Attribute) -> None:
    if not valid:
        raise MalformedRecord(f"{name}: missing or not in the form that this service writes")


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_status(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_timestamp(value: Any) -> bool:
    try:
        return type(value) is str and parse_timestamp(value) == value
    except ValueError:
        return False


def _is_epoch_seconds(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_EPOCH_SECONDS


def _is_text_map(value: Any) -> bool:
    return type(value) is dict and all(type(each) is str for each in value.values())


def _is_text_list(value: Any) -> bool:
    return type(value) is list and all(type(each) is str for each in value)


def _has_fields_of(kind: type) -> Callable[[Any], bool]:
    """A check for a map with a dataclass's fields, each of its type, and no others."""
    hints = get_type_hints(kind)
    required = {each.name for each in fields(kind) if each.default is MISSING}
    types = {
        name: tuple(set(get_args(hint) or (hint,)) - {NoneType}) for name, hint in hints.items()
    }

    def is_valid(value: Any) -> bool:
        if type(value) is not dict:
            return False
        return required <= value.keys() <= types.keys() and all(
            type(each) in types[name] for name, each in value.items()
        )

    return is_valid


_BY_TYPE: Final[dict[Any, Callable[[Any], bool]]] = {
    str: _is_text,
    Timestamp: _is_timestamp,
    dict: _is_text_map,
    list: _is_text_list,
}
_STORED_DIFFERENTLY: Final[dict[Attribute, Callable[[Any], bool]]] = {
    Attribute.INFERENCE_ID: INFERENCE_ID.accepts,
    Attribute.ENDPOINT_NAME: ENDPOINT_NAME.accepts,
    Attribute.STATUS: _is_status,
    Attribute.SUBMISSION: _is_text_map,
    Attribute.EXPIRES_AT: _is_epoch_seconds,
    Attribute.EVENT_ORDER: _is_text,
}
_CHECKS: Final[dict[Attribute, Callable[[Any], bool]]] = {
    name: _BY_TYPE.get(kind) or _has_fields_of(kind)
    for name, kind in ATTRIBUTE_TYPES.items()
    if name not in _STORED_DIFFERENTLY
} | _STORED_DIFFERENTLY
