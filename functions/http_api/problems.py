"""Problem documents (RFC 9457) for the errors of the use cases."""

import json
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from inference_results.contract import Problem
from inference_results.domain.record.errors import (
    AmbiguousInference,
    InvalidParameter,
    InvocationRejected,
    KeyReused,
    NoOutput,
    ObjectMissing,
    OutputUnreadable,
    RecordExpired,
    Unavailable,
    UnknownInference,
)


def register_problems(app: APIGatewayHttpResolver, logger: Logger) -> None:
    """Respond with a problem document to every error that is not a bug."""
    for error, respond in _RESPONSES.items():
        app.exception_handler(error)(respond)
    app.exception_handler(Unavailable)(partial(_unavailable, logger))


def _invalid_parameter(error: InvalidParameter) -> Response[Any]:
    return _problem(
        HTTPStatus.BAD_REQUEST,
        Problem.INVALID_PARAMETER,
        str(error),
        parameter=error.parameter,
        expected=error.expected,
    )


def _unknown_inference(error: UnknownInference) -> Response[Any]:
    return _problem(
        HTTPStatus.NOT_FOUND,
        Problem.UNKNOWN_INFERENCE,
        "no record exists for this id: check the id, or wait for the inference to end",
    )


def _record_expired(error: RecordExpired) -> Response[Any]:
    return _problem(
        HTTPStatus.GONE, Problem.RECORD_EXPIRED, str(error), expired_at=error.expired_at
    )


def _ambiguous_inference(error: AmbiguousInference) -> Response[Any]:
    return _problem(
        HTTPStatus.CONFLICT,
        Problem.AMBIGUOUS_INFERENCE,
        "several endpoints have a record for this id: choose one with ?endpoint=",
        endpoints=error.endpoints,
    )


def _no_output(error: NoOutput) -> Response[Any]:
    return _problem(
        HTTPStatus.CONFLICT,
        Problem.NO_OUTPUT,
        f"the inference has no output: its status is {error.status}, not Completed",
        inference_status=error.status,
    )


def _output_unavailable(error: OutputUnreadable) -> Response[Any]:
    return _problem(
        HTTPStatus.NOT_FOUND, Problem.OUTPUT_UNAVAILABLE, error.message, code=error.code
    )


def _output_removed(error: ObjectMissing) -> Response[Any]:
    return _problem(
        HTTPStatus.GONE,
        Problem.OUTPUT_REMOVED,
        "the recorded output was deleted or replaced in S3",
    )


def _key_reused(error: KeyReused) -> Response[Any]:
    return _problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        Problem.KEY_REUSED,
        "the idempotency key belongs to a request with another input, content_type or accept: "
        "use a new key",
        inference_id=error.inference_id,
    )


def _invocation_rejected(error: InvocationRejected) -> Response[Any]:
    return _problem(
        HTTPStatus.BAD_REQUEST,
        Problem.INVOCATION_REJECTED,
        f"SageMaker rejected the request: {error.message}",
        code=error.code,
    )


def _unavailable(logger: Logger, error: Unavailable) -> Response[Any]:
    logger.warning("service unavailable", extra={"reason": str(error)})
    return _problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Problem.UNAVAILABLE,
        "the service is temporarily unavailable: retry in a moment",
    )


def _problem(status: HTTPStatus, kind: Problem, detail: str, **members: Any) -> Response[Any]:
    problem = {"type": kind, "title": status.phrase, "status": status, "detail": detail, **members}
    headers: dict[str, Any] = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return Response(status, "application/problem+json", json.dumps(problem), headers)


_RESPONSES: Final[dict[type[Exception], Callable[[Any], Response[Any]]]] = {
    InvalidParameter: _invalid_parameter,
    UnknownInference: _unknown_inference,
    RecordExpired: _record_expired,
    AmbiguousInference: _ambiguous_inference,
    NoOutput: _no_output,
    OutputUnreadable: _output_unavailable,
    ObjectMissing: _output_removed,
    KeyReused: _key_reused,
    InvocationRejected: _invocation_rejected,
}
