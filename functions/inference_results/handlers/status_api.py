"""Lambda: answers questions about inferences over HTTP."""

import json
import os
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from inference_results.adapters.aws import client_config
from inference_results.adapters.dynamodb import InferencesTable
from inference_results.contract import Variable
from inference_results.domain.errors import (
    AmbiguousInference,
    InvalidParameter,
    Unavailable,
    UnknownInference,
)
from inference_results.domain.lookup import FindInference

logger = Logger()
app = APIGatewayHttpResolver()

_find_inference = FindInference(
    inferences=InferencesTable(
        boto3.client("dynamodb", config=client_config(connections=1)),
        os.environ[Variable.TABLE_NAME],
        int(os.environ[Variable.SHARDS]),
    ),
    now=partial(datetime.now, UTC),
)


# The pattern takes any path: API Gateway has routed it already, and Powertools' own patterns for a
# path parameter refuse characters (`#`, for one) that an inference id may hold.
@app.get("/inferences/.+")
def get_inference() -> Response[str]:
    """The record of an inference; `endpoint` chooses where the id is on several."""
    record = _find_inference(
        app.current_event.path_parameters["inference_id"],
        app.current_event.query_string_parameters.get("endpoint"),
    )
    return Response(HTTPStatus.OK, "application/json", json.dumps(record))


@app.exception_handler(InvalidParameter)
def invalid_parameter(error: InvalidParameter) -> Response[str]:
    return _problem(HTTPStatus.BAD_REQUEST, str(error), parameter=error.parameter)


@app.exception_handler(UnknownInference)
def unknown_inference(error: UnknownInference) -> Response[str]:
    return _problem(HTTPStatus.NOT_FOUND, "no inference with this id is recorded")


@app.exception_handler(AmbiguousInference)
def ambiguous_inference(error: AmbiguousInference) -> Response[str]:
    return _problem(
        HTTPStatus.CONFLICT,
        "the id is recorded on several endpoints: name one with ?endpoint=",
        endpoints=error.endpoints,
    )


@app.exception_handler(Unavailable)
def unavailable(error: Unavailable) -> Response[str]:
    logger.warning("unavailable", extra={"reason": str(error)})
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "try again in a moment")


def _problem(status: HTTPStatus, detail: str, **members: Any) -> Response[str]:
    """A problem document (RFC 9457); its type is `about:blank`, so title is the status's phrase."""
    problem = {"title": status.phrase, "status": status, "detail": detail, **members}
    return Response(status, "application/problem+json", json.dumps(problem))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of an HTTP API (payload format 2.0)."""
    return app.resolve(event, context)
