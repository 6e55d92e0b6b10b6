"""Generate the API's JSON Schemas from the dataclasses of the record and its parts.

Response schemas are open: clients must ignore unknown properties.
"""

from dataclasses import fields, is_dataclass
from typing import Any, Final

import msgspec

from inference_results.client.records import DaySummary, Latency, LatencyBucket, Missing
from inference_results.domain.record.definition import TIMESTAMPS, PromisedLocations, Record
from inference_results.domain.record.result import Failure, Output, OutputError

TEXT: Final = {"type": "string"}
TIMESTAMP: Final = {"type": "string", "format": "date-time"}
REF_PREFIX: Final = "#/components/schemas/"

_NAMES: Final[dict[type, str]] = {
    Record: "Inference",
    PromisedLocations: "Submission",
    Output: "Output",
    OutputError: "OutputError",
    Failure: "Failure",
    Missing: "Missing",
    DaySummary: "DaySummary",
    Latency: "Latency",
    LatencyBucket: "LatencyBucket",
}


def reference(name: str) -> dict[str, str]:
    """Return a reference to a component schema."""
    return {"$ref": f"{REF_PREFIX}{name}"}


def content_schema() -> dict[str, Any]:
    """Return the schema of bytes in JSON, as text or base64."""
    return {
        "type": "object",
        "required": ["encoding", "content"],
        "properties": {
            "encoding": {"type": "string", "enum": ["utf-8", "base64"]},
            "content": TEXT,
        },
    }


def record_schemas() -> dict[str, Any]:
    """Return the schemas of records, missing records and summaries, by component name."""
    _, generated = msgspec.json.schema_components(list(_NAMES), ref_template="{name}")
    schemas = {name: _schema(kind, generated[kind.__name__]) for kind, name in _NAMES.items()}
    schemas["Output"]["properties"]["inline"] = content_schema() | {
        "description": schemas["Output"]["properties"]["inline"]["description"]
    }
    return schemas


def _schema(kind: type, generated: dict[str, Any]) -> dict[str, Any]:
    assert is_dataclass(kind)
    descriptions = {
        each.name: {"description": each.metadata["description"]}
        for each in fields(kind)
        if "description" in each.metadata
    }
    properties = {
        name: _property(name, schema) | descriptions.get(name, {})
        for name, schema in generated["properties"].items()
    }
    schema: dict[str, Any] = {"type": "object"}
    if description := generated.get("description"):
        schema["description"] = " ".join(description.split())
    if required := generated.get("required"):
        schema["required"] = required
    return schema | {"properties": properties}


def _property(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Drop null and the default: a property without a value is missing."""
    if name in TIMESTAMPS:
        return dict(TIMESTAMP)
    choices = [each for each in schema.get("anyOf", [schema]) if each != {"type": "null"}]
    (chosen,) = choices
    return {key: _renamed(value) for key, value in chosen.items() if key != "default"}


def _renamed(value: Any) -> Any:
    """Replace generated names by references to the component names."""
    names = {kind.__name__: name for kind, name in _NAMES.items()}
    match value:
        case str() if value in names:
            return reference(names[value])["$ref"]
        case dict():
            return {key: _renamed(each) for key, each in value.items() if key != "default"}
    return value
