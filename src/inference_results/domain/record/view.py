"""A stored record as the API returns it."""

import base64
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from inference_results.contract import Attribute, Status
from inference_results.domain.record.definition import PromisedLocations, Record
from inference_results.domain.record.timestamps import timestamp

_PUBLIC: Final = tuple(each.name for each in fields(Record))
_PROMISED: Final = tuple(each.name for each in fields(PromisedLocations))

MAX_EPOCH_SECONDS: Final = 253_402_300_799
"""The last second of the year 9999. Other writers can store anything in the table."""


def to_api_record(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a stored item to the document that the API returns for it."""
    record = {name: item[name] for name in _PUBLIC if name in item}
    if expires_at := record.get(Attribute.EXPIRES_AT):
        record[Attribute.EXPIRES_AT] = epoch_timestamp(expires_at)
    submission = record.pop(Attribute.SUBMISSION, {})
    if promised := {name: submission[name] for name in _PROMISED if name in submission}:
        record[str(Attribute.SUBMISSION)] = promised
    output = record.get(Attribute.OUTPUT, {})
    if (inline := output.get("inline")) is not None:
        record[Attribute.OUTPUT] = output | {"inline": encode_content(inline)}
    return record


def is_terminal(record: Mapping[str, Any]) -> bool:
    """Whether the inference has ended. An unknown status counts as ended."""
    return bool(record[Attribute.STATUS] != Status.IN_PROGRESS)


def is_current(item: Mapping[str, Any], now: datetime) -> bool:
    """Whether an item is within its retention. DynamoDB can keep it for two more days."""
    expires_at = item.get(Attribute.EXPIRES_AT)
    return expires_at is None or expires_at > int(now.timestamp())


def epoch_timestamp(seconds: float) -> str:
    """The timestamp of epoch seconds."""
    return timestamp(datetime.fromtimestamp(min(seconds, MAX_EPOCH_SECONDS), UTC))


def encode_content(content: bytes) -> dict[str, str]:
    """`{"encoding": "utf-8" or "base64", "content": text}`."""
    try:
        return {"encoding": "utf-8", "content": content.decode()}
    except UnicodeDecodeError:
        return {"encoding": "base64", "content": base64.b64encode(content).decode()}
