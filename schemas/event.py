"""Generate the JSON Schema (2020-12) of the events on the EventBridge bus."""

from typing import Any, Final

from inference_results.contract import EVENT_SOURCE, DetailType
from inference_results.domain.changes.events import DETAIL_TYPES, INLINE_OUTPUT, VERSION
from schemas.components import REF_PREFIX, TEXT, record_schemas

_SHARED: Final = ("Output", "OutputError", "Failure", "Submission")


def event_schema() -> dict[str, Any]:
    """Return the schema of a whole event, as a rule's target receives it."""
    schemas = record_schemas()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:inference-results:event:{VERSION}",
        "title": "Inference event",
        "description": "Ignore unknown properties: later versions can add some.",
        "type": "object",
        "required": ["source", "detail-type", "time", "resources", "detail"],
        "properties": {
            "source": {"const": EVENT_SOURCE},
            "detail-type": {"enum": [str(each) for each in DetailType]},
            "time": {
                "type": "string",
                "format": "date-time",
                "description": "The detail's event_time or, without one, submitted_at; in seconds.",
            },
            "resources": {
                "type": "array",
                "items": TEXT,
                "description": "The ARN of the table that holds the record.",
            },
            "detail": {"$ref": "#/$defs/Detail"},
        },
        "oneOf": [_of_type(each) for each in DetailType],
        "$defs": {
            "Detail": _detail(schemas["Inference"]),
            **{name: _relocated(schemas[name]) for name in _SHARED},
        },
    }


def _of_type(detail_type: DetailType) -> dict[str, Any]:
    """Each detail type has one status, except the last: it has all unknown statuses."""
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
    event_properties = {
        "version": {"const": VERSION},
        "event_id": {
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
            "description": "The same if a change is published again.",
        },
        "previous_status": {
            "type": "string",
            "description": "The status before the change, if a record existed.",
        },
        "omitted": {
            "type": "array",
            "items": TEXT,
            "description": f"Parts of the record that do not fit in an event: `{INLINE_OUTPUT}`.",
        },
    }
    relocated: dict[str, Any] = _relocated(record)
    return relocated | {
        "required": ["version", "event_id", *record["required"]],
        "properties": event_properties | relocated["properties"],
        "description": "The record as the API returns it, and properties of the event.",
    }


def _relocated(schema: Any) -> Any:
    """Point the references of an HTTP API schema into this document."""
    match schema:
        case dict():
            return {
                name: value.replace(REF_PREFIX, "#/$defs/") if name == "$ref" else _relocated(value)
                for name, value in schema.items()
            }
        case list():
            return [_relocated(each) for each in schema]
    return schema
