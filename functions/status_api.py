"""Lambda: returns records, outputs, lists and summaries over HTTP."""

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_HTTP
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.http_api.requests import parse_batch
from functions.http_api.routing import HttpApi
from functions.http_api.stopwatch import Stopwatch
from functions.telemetry.log_fields import hide_error_texts
from inference_results.adapters.aws.clients import client
from inference_results.adapters.aws.config import PRESIGN_CONFIG, client_config
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.summaries import SummaryStore
from inference_results.contract import INLINE_OUTPUT_HEADER, Route, Variable
from inference_results.domain.queries.find import FindInference, FindInferences
from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.queries.output import Link, LocateOutput
from inference_results.domain.queries.wait import WaitForInference, WaitForInferences
from inference_results.domain.summaries.summarize import SummarizeEndpoint

_OPENAPI: Final = Path(__file__).parent / "http_api" / "openapi.json"

logger = Logger()
stopwatch = Stopwatch(clock=time.monotonic, sleep=time.sleep)
api = HttpApi(stopwatch=stopwatch, logger=logger)

_WORKERS: Final = 16
"""Concurrent DynamoDB calls per request: shards of a list, ids of a batch."""

_now = partial(datetime.now, UTC)
_config = client_config(connections=_WORKERS)
_dynamodb = client("dynamodb", config=_config)
_inferences = InferenceQueries(
    _dynamodb,
    os.environ[Variable.TABLE_NAME],
    int(os.environ[Variable.SHARDS]),
    ThreadPoolExecutor(_WORKERS),
)
_find_inference = FindInference(inferences=_inferences, now=_now)
_wait_for_inference = WaitForInference(
    find=_find_inference, clock=time.monotonic, sleep=stopwatch.pause
)
_wait_for_inferences = WaitForInferences(
    find=FindInferences(inferences=_inferences, now=_now),
    clock=time.monotonic,
    sleep=stopwatch.pause,
)
_list_inferences = ListInferences(
    inferences=_inferences, now=_now, cursor_key=os.environ[Variable.CURSOR_KEY].encode()
)
_summarize_endpoint = SummarizeEndpoint(
    summaries=SummaryStore(_dynamodb, os.environ[Variable.SUMMARIES_TABLE_NAME]), now=_now
)
_locate_output = LocateOutput(
    find=_find_inference,
    objects=S3Objects(client("s3", config=_config.merge(PRESIGN_CONFIG))),
)


@api.route(Route.GET_OUTPUT)
def get_output() -> Response[Any]:
    return _output(api.path_parameter("inference_id"), **api.query(Route.GET_OUTPUT))


@api.route(Route.GET_INFERENCE)
def get_inference() -> Response[Any]:
    return _inference(api.path_parameter("inference_id"), **api.query(Route.GET_INFERENCE))


@api.route(Route.GET_OUTPUT_BY_QUERY)
def get_output_by_query() -> Response[Any]:
    return _output(**api.query(Route.GET_OUTPUT_BY_QUERY))


@api.route(Route.GET_INFERENCE_BY_QUERY)
def get_inference_by_query() -> Response[Any]:
    return _inference(**api.query(Route.GET_INFERENCE_BY_QUERY))


@api.route(Route.LIST_INFERENCES)
def list_inferences() -> Response[Any]:
    query = api.query(Route.LIST_INFERENCES)
    return _json(_list_inferences(endpoint_name=query.pop("endpoint", None), **query))


@api.route(Route.BATCH_GET)
def batch_get() -> Response[Any]:
    batch = parse_batch(api.body())
    return _json(
        _wait_for_inferences(batch["inference_ids"], batch.get("endpoint"), batch.get("wait", 0))
    )


@api.route(Route.SUMMARIZE_ENDPOINT)
def summarize_endpoint() -> Response[Any]:
    return _json(
        _summarize_endpoint(
            api.path_parameter("endpoint_name"), **api.query(Route.SUMMARIZE_ENDPOINT)
        )
    )


@api.route(Route.GET_OPENAPI)
def get_openapi() -> Response[Any]:
    api.query(Route.GET_OPENAPI)
    return Response(HTTPStatus.OK, "application/json", _OPENAPI.read_text())


def _inference(id: str, endpoint: str | None = None, wait: float = 0) -> Response[Any]:
    api.log_inference(id, endpoint)
    record = _wait_for_inference(id, endpoint, wait)
    api.log_inference(id, record["endpoint_name"])
    # Sorted: DynamoDB does not keep the order of a map.
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    etag = f'"{digest[:32]}"'
    headers: dict[str, Any] = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = api.event.headers.get("if-none-match", "")
    if known == "*" or etag in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=headers)
    return Response(HTTPStatus.OK, "application/json", json.dumps(record), headers)


def _output(id: str, endpoint: str | None = None) -> Response[Any]:
    api.log_inference(id, endpoint)
    headers: dict[str, Any] = {"Cache-Control": "no-store"}
    match _locate_output(id, endpoint):
        case Link(url):
            headers["Location"] = url
            return Response(HTTPStatus.TEMPORARY_REDIRECT, body="", headers=headers)
        case content:
            headers[INLINE_OUTPUT_HEADER] = "inline"
            return Response(HTTPStatus.OK, content.content_type, content.body, headers)


def _json(content: dict[str, Any]) -> Response[Any]:
    return Response(HTTPStatus.OK, "application/json", json.dumps(content))


@logger.inject_lambda_context(clear_state=True, correlation_id_path=API_GATEWAY_HTTP)
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request of an HTTP API (payload format 2.0)."""
    return api.resolve(event, context)
