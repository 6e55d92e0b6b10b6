"""What a request asks: the parameters of each route, and how they are read."""

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
    unknown_member,
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
"""The parameters that each route takes in its query; `id` is required, all others are not."""

BATCH_GET_BODY: Final = ("inference_ids", ENDPOINT.name, WAIT.name)


def parse_query(route: Route, raw_query: str) -> dict[str, Any]:
    """The values of a query string by their parameters' names.

    Read from the raw text: API Gateway joins what is given twice with commas, which an id may hold.
    Raises InvalidParameter, also for a parameter that the route does not take.
    """
    parameters = {parameter.name: parameter for parameter in QUERY_PARAMETERS[route]}
    values: dict[str, Any] = {}
    for name, text in parse_qsl(raw_query, keep_blank_values=True):
        if name not in parameters:
            raise unknown_member(name, parameters)
        if name in values:
            raise InvalidParameter(name, "it once")
        values[name] = parameters[name].parse(text)
    if ID.name in parameters and ID.name not in values:
        raise InvalidParameter(ID.name, "the id of an inference")
    return values


def parse_body(body: str, *, is_base64: bool) -> dict[str, Any]:
    """The members of a body, which the use case checks. Raises InvalidParameter."""
    try:
        members = json.loads(base64.b64decode(body) if is_base64 else body)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise InvalidParameter("body", "a JSON object")
    return members


def parse_batch(members: dict[str, Any]) -> dict[str, Any]:
    """The members of a batch, whose values the use case checks. Raises InvalidParameter."""
    for name in members:
        if name not in BATCH_GET_BODY:
            raise unknown_member(name, BATCH_GET_BODY)
    if ENDPOINT.name in members:
        ENDPOINT.check(members[ENDPOINT.name])  # null is none of its values
    if "inference_ids" not in members:
        raise InvalidParameter("inference_ids", "a list of ids")
    return members


def parse_input(members: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """The members of a submission without `input`, and the bytes that it stands for.

    Raises InvalidParameter.
    """
    others = {name: each for name, each in members.items() if name != INPUT}
    if INPUT not in members:
        return others, None
    match members[INPUT]:
        case {"encoding": "utf-8", "content": str(content), **rest} if not rest:
            return others, _encoded(content)
        case {"encoding": "base64", "content": str(content), **rest} if not rest:
            return others, _decoded(content)
    raise InvalidParameter(INPUT, '{"encoding": "utf-8" or "base64", "content": text}')


def _encoded(content: str) -> bytes:
    try:
        return content.encode()
    except UnicodeEncodeError:
        raise InvalidParameter(INPUT, "valid Unicode") from None


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        raise InvalidParameter(INPUT, "base64") from None
