"""The parameters of each route, and how requests are parsed."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from inference_results.contract import Route
from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.parameters import (
    CURSOR,
    ENDPOINT,
    ID,
    INPUT,
    LIMIT,
    SINCE,
    SINCE_DAY,
    STATUS,
    UNTIL,
    UNTIL_DAY,
    WAIT,
    NumberParameter,
    TextParameter,
    unknown_parameter,
)

Parameter = TextParameter | NumberParameter

QUERY_PARAMETERS: Final[Mapping[Route, tuple[Parameter, ...]]] = {
    Route.GET_INFERENCE: (ENDPOINT, WAIT),
    Route.GET_INFERENCE_BY_QUERY: (ID, ENDPOINT, WAIT),
    Route.GET_OUTPUT: (ENDPOINT,),
    Route.GET_OUTPUT_BY_QUERY: (ID, ENDPOINT),
    Route.LIST_INFERENCES: (ENDPOINT, STATUS, SINCE, UNTIL, LIMIT, CURSOR),
    Route.BATCH_GET: (),
    Route.SUBMIT_INFERENCE: (),
    Route.REGISTER_INFERENCE: (),
    Route.REGISTER_INFERENCE_BY_QUERY: (ID,),
    Route.SUMMARIZE_ENDPOINT: (SINCE_DAY, UNTIL_DAY),
    Route.GET_OPENAPI: (),
}
"""The query parameters of each route: `id` is required, all others are optional."""

BATCH_GET_BODY: Final = ("inference_ids", ENDPOINT.name, WAIT.name)


def parse_query(route: Route, raw_query: str) -> dict[str, Any]:
    """Parse a query string into values by parameter name.

    Parses the raw string: API Gateway joins repeated parameters with commas, which an id can hold.
    Raises InvalidParameter, also for a parameter that the route does not have.
    """
    parameters = {parameter.name: parameter for parameter in QUERY_PARAMETERS[route]}
    values: dict[str, Any] = {}
    for name, text in parse_qsl(raw_query, keep_blank_values=True):
        if name not in parameters:
            raise unknown_parameter(name, parameters)
        if name in values:
            raise InvalidParameter(name, "one value, not several")
        values[name] = parameters[name].parse(text)
    if ID.name in parameters and ID.name not in values:
        raise InvalidParameter(ID.name, "an inference id")
    return values


def parse_body(body: str, *, is_base64: bool) -> dict[str, Any]:
    """Parse a JSON body. The use case checks its values. Raises InvalidParameter."""
    try:
        parsed = json.loads(base64.b64decode(body) if is_base64 else body)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidParameter("body", "a JSON object")
    return parsed


def parse_batch(body: dict[str, Any]) -> dict[str, Any]:
    """Check the names in a batchGet body; the use case checks values. Raises InvalidParameter."""
    for name in body:
        if name not in BATCH_GET_BODY:
            raise unknown_parameter(name, BATCH_GET_BODY)
    if ENDPOINT.name in body:
        ENDPOINT.check(body[ENDPOINT.name])  # null is not allowed
    if "inference_ids" not in body:
        raise InvalidParameter("inference_ids", "a list of ids")
    return body


def parse_input(body: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """Split a submission's body into all but `input`, and the bytes of `input`.

    Raises InvalidParameter.
    """
    others = {name: each for name, each in body.items() if name != INPUT}
    if INPUT not in body:
        return others, None
    match body[INPUT]:
        case {"encoding": "utf-8", "content": str(content), **rest} if not rest:
            return others, _encode(content)
        case {"encoding": "base64", "content": str(content), **rest} if not rest:
            return others, _decode(content)
    raise InvalidParameter(INPUT, '{"encoding": "utf-8" or "base64", "content": text}')


def _encode(content: str) -> bytes:
    try:
        return content.encode()
    except UnicodeEncodeError:
        raise InvalidParameter(INPUT, "valid Unicode") from None


def _decode(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        raise InvalidParameter(INPUT, "base64") from None
