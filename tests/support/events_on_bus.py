"""Validate events with the published schema, made stricter: no additional properties."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.synthesis import ROOT

SCHEMA = ROOT / "docs" / "events" / "inference.schema.json"


def check_event(event: dict[str, Any]) -> None:
    """Raise ValidationError if an event does not match, or has an unknown property."""
    _VALIDATOR.validate(event)


def check_detail(detail: dict[str, Any]) -> None:
    """Raise ValidationError if the detail alone does not match."""
    _DETAIL_VALIDATOR.validate(detail)


def _closed(each: Any) -> Any:
    if not isinstance(each, dict):
        return each
    closed = {name: _closed(value) for name, value in each.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed["additionalProperties"] = False
    return closed


def _strict() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    return schema | {"$defs": _closed(schema["$defs"])}


_VALIDATOR = Draft202012Validator(_strict(), format_checker=Draft202012Validator.FORMAT_CHECKER)
_DETAIL_VALIDATOR = Draft202012Validator(
    {"$defs": _strict()["$defs"], "$ref": "#/$defs/Detail"},
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)
