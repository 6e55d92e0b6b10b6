"""The sample notifications of tests/events, and variations of them."""

import json
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parent / "events"
PREFIX = "s3://customer-outputs/async/"


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """A sample by its file's name; a change to None takes the field away."""
    event = json.loads((EVENTS / f"{name}.json").read_text())
    for field, value in changes.items():
        event[field] = value
        if value is None:
            del event[field]
    return event


def completed(
    inference_id: str = "inference-1", key: str = "one.out", **changes: Any
) -> dict[str, Any]:
    """A completed event whose output lies below the allowed prefix."""
    event = sample("completed", inferenceId=inference_id, **changes)
    event["responseParameters"]["outputLocation"] = PREFIX + key
    return event


def failed(inference_id: str = "inference-1", **changes: Any) -> dict[str, Any]:
    """A failed event, without responseParameters as AWS sends most of them."""
    return sample("failed", inferenceId=inference_id, **changes)


def body(event: dict[str, Any]) -> str:
    """As a queue delivers it under raw message delivery."""
    return json.dumps(event)
