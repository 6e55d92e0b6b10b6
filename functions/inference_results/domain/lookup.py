"""The use case: what became of inference X?"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from inference_results.contract import Attribute
from inference_results.domain.errors import AmbiguousInference, InvalidParameter, UnknownInference
from inference_results.domain.timestamp import timestamp

_SHOWN: Final = (
    Attribute.INFERENCE_ID,
    Attribute.ENDPOINT_NAME,
    Attribute.STATUS,
    Attribute.SUBMITTED_AT,
    Attribute.RECEIVED_AT,
    Attribute.EVENT_TIME,
    Attribute.RECORDED_AT,
    Attribute.DEADLINE,
    Attribute.INPUT_LOCATION,
    Attribute.CONTENT_TYPE,
    Attribute.OUTPUT,
    Attribute.OUTPUT_ERROR,
    Attribute.FAILURE,
    Attribute.IGNORED_FIELDS,
    Attribute.CUSTOM_ATTRIBUTES,
    Attribute.CALLER_METADATA,
    Attribute.EXPIRES_AT,
)


class Inferences(Protocol):
    """The table, as it is asked."""

    def find(self, inference_id: str, endpoint_name: str | None = None) -> list[dict[str, Any]]:
        """The items of an id, on one endpoint or on all. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindInference:
    """Answers with one record, in the shape that docs/record.md describes."""

    inferences: Inferences
    now: Callable[[], datetime]

    def __call__(self, inference_id: str, endpoint_name: str | None = None) -> dict[str, Any]:
        """Raises InvalidParameter, UnknownInference, AmbiguousInference or Unavailable."""
        if not 1 <= len(inference_id) <= 64 or not inference_id.isascii():
            raise InvalidParameter("inference_id", "1 to 64 ASCII characters")
        if endpoint_name is not None and not 1 <= len(endpoint_name) <= 256:
            raise InvalidParameter("endpoint", "1 to 256 characters")
        now = int(self.now().timestamp())
        # DynamoDB may keep an expired item for two more days.
        current = [
            item
            for item in self.inferences.find(inference_id, endpoint_name)
            if item.get(Attribute.EXPIRES_AT, now + 1) > now
        ]
        match current:
            case []:
                raise UnknownInference
            case [item]:
                return _shown(item)
        raise AmbiguousInference([item[Attribute.ENDPOINT_NAME] for item in current])


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    shown = {str(name): item[name] for name in _SHOWN if name in item}
    if expires_at := shown.get(Attribute.EXPIRES_AT):
        shown[Attribute.EXPIRES_AT] = timestamp(datetime.fromtimestamp(expires_at, UTC))
    output = shown.get(Attribute.OUTPUT, {})
    if (inline := output.get("inline")) is not None:
        shown[Attribute.OUTPUT] = output | {"inline": _shown_bytes(inline)}
    return shown


def _shown_bytes(content: bytes) -> dict[str, str]:
    try:
        return {"encoding": "utf-8", "content": content.decode()}
    except UnicodeDecodeError:
        return {"encoding": "base64", "content": base64.b64encode(content).decode()}
