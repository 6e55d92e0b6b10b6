"""Encode an input for the body of a request to the HTTP API."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from inference_results.client.errors import InvalidRequest
from inference_results.domain.record.parameters import INPUT

MAX_REQUEST_BYTES: Final = 6_000_000
"""Size of a body in Lambda's event, which holds 6 MB (6,291,456 bytes) including the headers."""


def add_input(members: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Add the input to the members. Raises InvalidRequest if a request cannot hold it."""
    # No encoding makes a body smaller, so do not encode one that is too large anyway.
    if len(body) <= MAX_REQUEST_BYTES:
        request = {**members, INPUT: encode_input(body)}
        if _bytes_in_event(request) <= MAX_REQUEST_BYTES:
            return request
    raise InvalidRequest(
        f"expected an input that fits in a request of {MAX_REQUEST_BYTES} bytes:"
        " upload it to S3 and pass its location",
        INPUT,
    )


def encode_input(body: bytes) -> dict[str, str]:
    """Encode as text, or as base64 if the input is not text or base64 is smaller."""
    as_base64 = {"encoding": "base64", "content": base64.b64encode(body).decode()}
    try:
        as_text = {"encoding": "utf-8", "content": body.decode()}
    except UnicodeDecodeError:
        return as_base64
    return min(as_text, as_base64, key=_bytes_in_event)


def _bytes_in_event(document: Mapping[str, Any]) -> int:
    """Return the size in a function's event, which holds the JSON body as a JSON string."""
    return len(json.dumps(json.dumps(document)))
