"""Lambda: answers questions about inferences over HTTP."""

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from inference_results.adapters.aws import PRESIGNING, client_config
from inference_results.adapters.queries import InferenceQueries
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.summaries import SummariesTable
from inference_results.contract import INLINE_OUTPUT_HEADER, Problem, Route, Variable
from inference_results.domain.errors import (
    AmbiguousInference,
    InvalidParameter,
    NoOutput,
    ObjectMissing,
    OutputUnreadable,
    RecordExpired,
    Unavailable,
    UnknownInference,
)
from inference_results.domain.listing import ListInferences
from inference_results.domain.lookup import FindInference, FindInferences
from inference_results.domain.output import Link, LocateOutput
from inference_results.domain.summary import SummarizeEndpoint
from inference_results.domain.waiting import AwaitInference, AwaitInferences
from inference_results.handlers.questions import read_batch, read_query

logger = Logger()
app = APIGatewayHttpResolver()

_WORKERS: Final = 16
"""Calls to DynamoDB that one question may make side by side: shards of a list, ids of a batch."""

_now = partial(datetime.now, UTC)
_config = client_config(connections=_WORKERS)
_dynamodb = boto3.client("dynamodb", config=_config)
_inferences = InferenceQueries(
    _dynamodb,
    os.environ[Variable.TABLE_NAME],
    int(os.environ[Variable.SHARDS]),
    ThreadPoolExecutor(_WORKERS),
)
_find_inference = FindInference(inferences=_inferences, now=_now)
_await_inference = AwaitInference(find=_find_inference, clock=time.monotonic, sleep=time.sleep)
_await_inferences = AwaitInferences(
    find=FindInferences(inferences=_inferences, now=_now), clock=time.monotonic, sleep=time.sleep
)
_list_inferences = ListInferences(
    inferences=_inferences, now=_now, cursor_key=os.environ[Variable.CURSOR_KEY].encode()
)
_summarize_endpoint = SummarizeEndpoint(
    summaries=SummariesTable(_dynamodb, os.environ[Variable.SUMMARIES_TABLE_NAME]), now=_now
)
_locate_output = LocateOutput(
    find=_find_inference,
    objects=S3Objects(boto3.client("s3", config=_config.merge(PRESIGNING))),
)


def _on(route: Route) -> Any:
    """Powertools' decorator for a route."""
    method, path = route.split(" ")
    return app.route(path, method=method)


@_on(Route.GET_OUTPUT)
def get_output() -> Response[Any]:
    return _output(_path("inference_id"), **_query(Route.GET_OUTPUT))


@_on(Route.GET_INFERENCE)
def get_inference() -> Response[Any]:
    return _inference(_path("inference_id"), **_query(Route.GET_INFERENCE))


@_on(Route.GET_OUTPUT_BY_QUERY)
def get_output_by_query() -> Response[Any]:
    return _output(**_query(Route.GET_OUTPUT_BY_QUERY))


@_on(Route.GET_INFERENCE_BY_QUERY)
def get_inference_by_query() -> Response[Any]:
    return _inference(**_query(Route.GET_INFERENCE_BY_QUERY))


@_on(Route.LIST_INFERENCES)
def list_inferences() -> Response[Any]:
    query = _query(Route.LIST_INFERENCES)
    return _json(_list_inferences(endpoint_name=query.pop("endpoint", None), **query))


@_on(Route.BATCH_GET)
def batch_get() -> Response[Any]:
    event = app.current_event
    asked = read_batch(event.body or "", is_base64=bool(event.is_base64_encoded))
    return _json(
        _await_inferences(asked["inference_ids"], asked.get("endpoint"), asked.get("wait", 0))
    )


@_on(Route.SUMMARIZE_ENDPOINT)
def summarize_endpoint() -> Response[Any]:
    return _json(_summarize_endpoint(_path("endpoint_name"), **_query(Route.SUMMARIZE_ENDPOINT)))


@_on(Route.GET_OPENAPI)
def get_openapi() -> Response[Any]:
    from inference_results.handlers.openapi import document  # rarely asked, so not at cold start

    _query(Route.GET_OPENAPI)
    return _json(document())


def _inference(id: str, endpoint: str | None = None, wait: float = 0) -> Response[Any]:
    record = _await_inference(id, endpoint, wait)
    # Sorted, since DynamoDB promises no order of the members of a map.
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    etag = f'"{digest[:32]}"'
    headers: dict[str, Any] = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = app.current_event.headers.get("if-none-match", "")
    if known == "*" or etag in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=headers)
    return Response(HTTPStatus.OK, "application/json", json.dumps(record), headers)


def _output(id: str, endpoint: str | None = None) -> Response[Any]:
    headers: dict[str, Any] = {"Cache-Control": "no-store"}
    match _locate_output(id, endpoint):
        case Link(url):
            headers["Location"] = url
            return Response(HTTPStatus.TEMPORARY_REDIRECT, body="", headers=headers)
        case content:
            headers[INLINE_OUTPUT_HEADER] = "inline"
            return Response(HTTPStatus.OK, content.content_type, content.body, headers)


def _path(name: str) -> str:
    return app.current_event.path_parameters[name]


def _query(route: Route) -> dict[str, Any]:
    return read_query(route, app.current_event.raw_query_string or "")


def _json(content: dict[str, Any]) -> Response[Any]:
    return Response(HTTPStatus.OK, "application/json", json.dumps(content))


@app.exception_handler(InvalidParameter)
def invalid_parameter(error: InvalidParameter) -> Response[Any]:
    return _problem(
        HTTPStatus.BAD_REQUEST,
        Problem.INVALID_PARAMETER,
        str(error),
        parameter=error.parameter,
        expected=error.expected,
    )


@app.exception_handler(UnknownInference)
def unknown_inference(error: UnknownInference) -> Response[Any]:
    return _problem(
        HTTPStatus.NOT_FOUND, Problem.UNKNOWN_INFERENCE, "no inference with this id is recorded"
    )


@app.exception_handler(RecordExpired)
def record_expired(error: RecordExpired) -> Response[Any]:
    return _problem(
        HTTPStatus.GONE, Problem.RECORD_EXPIRED, str(error), expired_at=error.expired_at
    )


@app.exception_handler(AmbiguousInference)
def ambiguous_inference(error: AmbiguousInference) -> Response[Any]:
    return _problem(
        HTTPStatus.CONFLICT,
        Problem.AMBIGUOUS_INFERENCE,
        "the id is recorded on several endpoints: name one with ?endpoint=",
        endpoints=error.endpoints,
    )


@app.exception_handler(NoOutput)
def no_output(error: NoOutput) -> Response[Any]:
    return _problem(
        HTTPStatus.CONFLICT,
        Problem.NO_OUTPUT,
        f"there is no output: the inference is {error.status}, not Completed",
        inference_status=error.status,
    )


@app.exception_handler(OutputUnreadable)
def output_unavailable(error: OutputUnreadable) -> Response[Any]:
    return _problem(
        HTTPStatus.NOT_FOUND, Problem.OUTPUT_UNAVAILABLE, error.message, code=error.code
    )


@app.exception_handler(ObjectMissing)
def output_removed(error: ObjectMissing) -> Response[Any]:
    return _problem(
        HTTPStatus.GONE,
        Problem.OUTPUT_REMOVED,
        "the output that was recorded has been removed or replaced",
    )


@app.exception_handler(Unavailable)
def unavailable(error: Unavailable) -> Response[Any]:
    logger.warning("unavailable", extra={"reason": str(error)})
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, Problem.UNAVAILABLE, "try again in a moment")


def _problem(status: HTTPStatus, kind: Problem, detail: str, **members: Any) -> Response[Any]:
    """A problem document (RFC 9457)."""
    problem = {"type": kind, "title": status.phrase, "status": status, "detail": detail, **members}
    headers: dict[str, Any] = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return Response(status, "application/problem+json", json.dumps(problem), headers)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of an HTTP API (payload format 2.0)."""
    # API Gateway has routed already, and names the route. Its path may begin with the mapping of a
    # custom domain, and an inference id in it may hold what Powertools' own patterns refuse.
    _, route = event["routeKey"].split(" ")
    return app.resolve(event | {"rawPath": route}, context)
