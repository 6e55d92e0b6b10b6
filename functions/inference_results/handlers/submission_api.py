"""Lambda: takes what submitters say over HTTP: invoke this once; this invocation was made."""

import json
import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from inference_results.adapters.aws import client_config
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sagemaker import INVOKING, AsyncEndpoints
from inference_results.adapters.submissions import SubmissionsTable
from inference_results.contract import Route, Variable
from inference_results.domain.registering import RegisterInvocation
from inference_results.domain.submitting import SubmitInference
from inference_results.handlers.questions import read_input
from inference_results.handlers.routing import HttpApi

logger = Logger()
api = HttpApi()

_now: Final = partial(datetime.now, UTC)
_retention: Final = timedelta(days=int(os.environ[Variable.RETENTION_DAYS]))
_config = client_config(connections=1)
_submissions = SubmissionsTable(
    boto3.client("dynamodb", config=_config),
    os.environ[Variable.TABLE_NAME],
    int(os.environ[Variable.SHARDS]),
)
_register_invocation = RegisterInvocation(
    registrations=_submissions, retention=_retention, now=_now
)
_submit_inference = SubmitInference(
    attempts=_submissions,
    endpoints=AsyncEndpoints(boto3.client("sagemaker-runtime", config=INVOKING)),
    inputs=S3Objects(boto3.client("s3", config=_config)),
    input_prefix=os.environ[Variable.INPUT_PREFIX] or None,
    endpoint_names=frozenset(json.loads(os.environ[Variable.SUBMIT_ENDPOINTS])),
    retention=_retention,
    now=_now,
    sleep=time.sleep,
    new_token=lambda: uuid.uuid4().hex,
)


@api.on(Route.SUBMIT_INFERENCE)
def submit_inference() -> Response[Any]:
    api.query(Route.SUBMIT_INFERENCE)
    submitted = _submit_inference(*read_input(api.members()))
    status = HTTPStatus.CREATED if submitted.created else HTTPStatus.OK
    return Response(status, "application/json", json.dumps(submitted.record))


@api.on(Route.REGISTER_INFERENCE)
def register_inference() -> Response[Any]:
    api.query(Route.REGISTER_INFERENCE)
    return _registered(api.path("inference_id"))


@api.on(Route.REGISTER_INFERENCE_BY_QUERY)
def register_inference_by_query() -> Response[Any]:
    return _registered(api.query(Route.REGISTER_INFERENCE_BY_QUERY)["id"])


def _registered(inference_id: str) -> Response[Any]:
    record = _register_invocation(inference_id, api.members())
    return Response(HTTPStatus.OK, "application/json", json.dumps(record))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of an HTTP API (payload format 2.0)."""
    return api.resolve(event, context)
