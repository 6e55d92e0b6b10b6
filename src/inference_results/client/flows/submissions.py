"""Operations that submit and register inferences.

Both are safe to retry: registering again changes nothing, and an idempotency key invokes an
endpoint once.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inference_results.adapters.sagemaker import response_time
from inference_results.client.errors import InvalidRequest
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.queries import parse_document, send, to_timestamp
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


def build_registration(
    response: Mapping[str, Any], *, submitted_at: datetime | str | None, **members: Any
) -> Register:
    """Build a Register from the response of invoke_endpoint_async.

    `members` are further members of the body REGISTRATION; None leaves a member out. Raises
    InvalidRequest.
    """
    if not isinstance(response, Mapping):
        raise InvalidRequest("expected the response of invoke_endpoint_async", "response")
    from_response = {
        SUBMITTED_AT.name: _submitted_at(response, submitted_at),
        OUTPUT_LOCATION.name: _required(response, "OutputLocation"),
        FAILURE_LOCATION.name: response.get("FailureLocation"),
    }
    return Register(
        _required(response, "InferenceId"), _validate(REGISTRATION, members | from_response)
    )


def build_submission(endpoint: str, body_or_location: Any, **members: Any) -> Submit:
    """Build a Submit.

    `members` are further members of the body SUBMISSION; None leaves a member out. Raises
    InvalidRequest.
    """
    body, location = _input(body_or_location)
    target = {ENDPOINT.name: endpoint, INPUT_LOCATION.name: location}
    return Submit(_validate(SUBMISSION, members | target), body)


def record_for(request: Register | Submit, backoff: Backoff) -> Operation[Inference]:
    """Send the request and return the current record."""
    (document,) = yield from send([request], backoff)
    return parse_document(Inference.from_document, document)


def _input(body_or_location: Any) -> tuple[bytes | None, str | None]:
    match body_or_location:
        case str():
            return None, body_or_location
        case bytes() | bytearray() | memoryview():
            return bytes(body_or_location), None
    raise InvalidRequest("expected bytes, or the location s3://bucket/key as a string", INPUT)


def _submitted_at(response: Mapping[str, Any], given: datetime | str | None) -> str | None:
    value = response_time(response.get("ResponseMetadata", {})) if given is None else given
    if value is None:
        raise InvalidRequest(
            "expected a time, because the response has no Date header", SUBMITTED_AT.name
        )
    return to_timestamp(value, SUBMITTED_AT.name)


def _required(response: Mapping[str, Any], name: str) -> Any:
    try:
        return response[name]
    except KeyError as error:
        raise InvalidRequest(
            f"expected {name} in the response of invoke_endpoint_async", "response"
        ) from error


def _validate(schema: BodySchema, members: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return schema.check({name: it for name, it in members.items() if it is not None})
    except InvalidParameter as error:
        raise InvalidRequest(f"expected {error.expected}", error.parameter) from error
