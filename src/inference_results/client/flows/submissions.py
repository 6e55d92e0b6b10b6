"""Operations of submitters: this invocation was made; invoke this once.

Both are tried again while that may help. A registration that is there already changes nothing, and
of all submissions with one idempotency key one is invoked.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inference_results.adapters.sagemaker import response_time
from inference_results.client.errors import InvalidRequest
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.queries import parse_response, send, to_timestamp
from inference_results.client.flows.requests import Register, Submit
from inference_results.client.flows.steps import Operation
from inference_results.client.records import Inference
from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.parameters import (
    ENDPOINT,
    FAILURE_LOCATION,
    INPUT,
    INPUT_LOCATION,
    OUTPUT_LOCATION,
    REGISTRATION,
    SUBMISSION,
    SUBMITTED_AT,
    BodySchema,
)


def registration(
    response: Mapping[str, Any], *, submitted_at: datetime | str | None, **members: Any
) -> Register:
    """Of what invoke_endpoint_async returned. `members` are others of the form REGISTRATION.

    A member that is None is left out. Raises InvalidRequest.
    """
    if not isinstance(response, Mapping):
        raise InvalidRequest("expected what invoke_endpoint_async returned", "response")
    made = {
        SUBMITTED_AT.name: _submitted_at(response, submitted_at),
        OUTPUT_LOCATION.name: _told(response, "OutputLocation"),
        FAILURE_LOCATION.name: response.get("FailureLocation"),
    }
    return Register(_told(response, "InferenceId"), _checked(REGISTRATION, members | made))


def submission(endpoint: str, body_or_location: Any, **members: Any) -> Submit:
    """`members` are others of the form SUBMISSION; one that is None is left out.

    Raises InvalidRequest.
    """
    body, location = _input(body_or_location)
    given = {ENDPOINT.name: endpoint, INPUT_LOCATION.name: location}
    return Submit(_checked(SUBMISSION, members | given), body)


def record_of(said: Register | Submit, pace: Backoff) -> Operation[Inference]:
    """The record as it stands afterwards."""
    (document,) = yield from send([said], pace)
    return parse_response(Inference.from_document, document)


def _input(body_or_location: Any) -> tuple[bytes | None, str | None]:
    match body_or_location:
        case str():
            return None, body_or_location
        case bytes() | bytearray() | memoryview():
            return bytes(body_or_location), None
    raise InvalidRequest("expected bytes, or the text of a location", INPUT)


def _submitted_at(response: Mapping[str, Any], given: datetime | str | None) -> str | None:
    known = response_time(response.get("ResponseMetadata", {})) if given is None else given
    if known is None:
        raise InvalidRequest("expected, as the response holds no date", SUBMITTED_AT.name)
    return to_timestamp(known, SUBMITTED_AT.name)


def _told(response: Mapping[str, Any], name: str) -> Any:
    try:
        return response[name]
    except KeyError as error:
        raise InvalidRequest(f"expected {name} in it", "response") from error


def _checked(form: BodySchema, members: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return form.check({name: it for name, it in members.items() if it is not None})
    except InvalidParameter as error:
        raise InvalidRequest(f"expected {error.expected}", error.parameter) from error
