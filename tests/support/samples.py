"""The sample notifications in tests/events, and variations of them."""

import json
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parents[1] / "events"
PREFIX = "s3://customer-outputs/async/"


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """A sample by file name. Changes replace fields; None removes a field."""
    event = json.loads((EVENTS / f"{name}.json").read_text())
    for field, value in changes.items():
        event[field] = value
        if value is None:
            del event[field]
    return event


def completed(
    inference_id: str = "inference-1", key: str = "one.out", **changes: Any
) -> dict[str, Any]:
    """A Completed notification whose output is below the allowed prefix."""
    event = sample("completed", inferenceId=inference_id, **changes)
    event["responseParameters"]["outputLocation"] = PREFIX + key
    return event


def failed(inference_id: str = "inference-1", **changes: Any) -> dict[str, Any]:
    """A Failed notification without responseParameters, as AWS sends most of them."""
    return sample("failed", inferenceId=inference_id, **changes)


def body(event: dict[str, Any]) -> str:
    """The body of the SQS message, with raw message delivery."""
    return json.dumps(event)
