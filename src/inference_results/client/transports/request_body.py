"""An input, as a request to the HTTP API holds it."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from inference_results.client.errors import InvalidRequest
from inference_results.domain.record.parameters import INPUT

MAX_REQUEST_BYTES: Final = 6_000_000
"""Of a request's body as Lambda counts it, which takes 6 MB (6,291,456 bytes) with the headers."""


def add_input(members: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """The members of a request that holds the input. Raises InvalidRequest if none can."""
    # No encoding makes it smaller: what is far too large is not encode_input at all.
    if len(body) <= MAX_REQUEST_BYTES:
        request = {**members, INPUT: encode_input(body)}
        if _bytes_in_event(request) <= MAX_REQUEST_BYTES:
            return request
    raise InvalidRequest(
        f"expected what a request of {MAX_REQUEST_BYTES} bytes can hold:"
        " upload it to S3, and give its location",
        INPUT,
    )


def encode_input(body: bytes) -> dict[str, str]:
    """As text, unless it is none or would be larger than in base64."""
    as_base64 = {"encoding": "base64", "content": base64.b64encode(body).decode()}
    try:
        as_text = {"encoding": "utf-8", "content": body.decode()}
    except UnicodeDecodeError:
        return as_base64
    return min(as_text, as_base64, key=_bytes_in_event)


def _bytes_in_event(document: Mapping[str, Any]) -> int:
    """A function's event is JSON that holds the body, which is JSON, as a text."""
    return len(json.dumps(json.dumps(document)))
