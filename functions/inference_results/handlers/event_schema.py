"""The events on the bus as a JSON Schema (2020-12), made of the schemas of the HTTP API.

docs/events/inference.schema.json is what it says; `make check` compares the two, and `make openapi`
writes it anew.
"""

import json
import sys
from typing import Any, Final

from inference_results.contract import EVENT_SOURCE, DetailType
from inference_results.domain.announcement import DETAIL_TYPES, INLINE_OUTPUT, VERSION
from inference_results.handlers.openapi import document

_OPENAPI_PLACE: Final = "#/components/schemas/"
_SHARED: Final = ("Output", "OutputError", "Failure")
_TEXT: Final = {"type": "string"}


def schema() -> dict[str, Any]:
    """Of a whole event, as a target of a rule receives it."""
    shared = document()["components"]["schemas"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:inference-results:event:{VERSION}",
        "title": "Announcement of an inference's status",
        "description": "Members may be added: ignore those that you do not know.",
        "type": "object",
        "required": ["source", "detail-type", "time", "resources", "detail"],
        "properties": {
            "source": {"const": EVENT_SOURCE},
            "detail-type": {"enum": [str(each) for each in DetailType]},
            "time": {
                "type": "string",
                "format": "date-time",
                "description": "event_time of the detail, or else submitted_at; in seconds.",
            },
            "resources": {
                "type": "array",
                "items": _TEXT,
                "description": "The ARN of the table that has the record.",
            },
            "detail": {"$ref": "#/$defs/Detail"},
        },
        "oneOf": [_of_type(each) for each in DetailType],
        "$defs": {
            "Detail": _detail(shared["Inference"]),
            **{name: _open(shared[name]) for name in _SHARED},
        },
    }


def _of_type(detail_type: DetailType) -> dict[str, Any]:
    """A type of event has one status, and the last type those that are not known."""
    statuses = [str(status) for status, each in DETAIL_TYPES.items() if each == detail_type]
    known = [str(status) for status in DETAIL_TYPES]
    status = {"enum": statuses} if statuses else {"not": {"enum": known}}
    return {
        "properties": {
            "detail-type": {"const": str(detail_type)},
            "detail": {"properties": {"status": status}},
        }
    }


def _detail(record: dict[str, Any]) -> dict[str, Any]:
    """A record as the API shows it, and what is said of the announcement."""
    head = {
        "version": {"const": VERSION},
        "announcement_id": {
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
            "description": "The same whenever the same change is announced again.",
        },
        "previous_status": {
            "type": "string",
            "description": "That of the record before, if there was one.",
        },
        "omitted": {
            "type": "array",
            "items": _TEXT,
            "description": f"What the record has and the event has no room for: `{INLINE_OUTPUT}`.",
        },
    }
    opened: dict[str, Any] = _open(record)
    return opened | {
        "required": ["version", "announcement_id", *record["required"]],
        "properties": head | opened["properties"],
        "description": "A record, flat, as the API shows it.",
    }


def _open(each: Any) -> Any:
    """A schema of the HTTP API in its place here, open to members that are added later."""
    match each:
        case dict():
            return {
                name: value.replace(_OPENAPI_PLACE, "#/$defs/") if name == "$ref" else _open(value)
                for name, value in each.items()
                if name != "additionalProperties"
            }
        case list():
            return [_open(item) for item in each]
    return each


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
