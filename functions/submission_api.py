"""Lambda: submits and registers inferences over HTTP."""

import json
import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_HTTP
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.http_api.requests import parse_input
from functions.http_api.routing import HttpApi
from functions.http_api.stopwatch import Stopwatch
from functions.telemetry.log_fields import hide_error_texts
from inference_results.adapters.aws.clients import client, lazy_client
from inference_results.adapters.aws.config import client_config
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sagemaker import INVOKE_CONFIG, AsyncEndpoints
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.contract import Route, Variable
from inference_results.domain.record.parameters import ENDPOINT, IDEMPOTENCY_KEY
from inference_results.domain.submissions.register import RegisterInvocation
from inference_results.domain.submissions.submission_request import inference_id_for
from inference_results.domain.submissions.submit import SubmitInference

logger = Logger()
stopwatch = Stopwatch(clock=time.monotonic, sleep=time.sleep)
api = HttpApi(stopwatch=stopwatch, logger=logger)

_now: Final = partial(datetime.now, UTC)
_retention: Final = timedelta(days=int(os.environ[Variable.RETENTION_DAYS]))
_completes_tasks: Final = os.environ[Variable.COMPLETES_TASKS] == "true"
_config = client_config(connections=1)
_submissions = SubmissionStore(
    client("dynamodb", config=_config),
    os.environ[Variable.TABLE_NAME],
    int(os.environ[Variable.SHARDS]),
)
_register_invocation = RegisterInvocation(
    registrations=_submissions,
    completes_tasks=_completes_tasks,
    retention=_retention,
    now=_now,
)
_submit_inference = SubmitInference(
    attempts=_submissions,
    endpoints=AsyncEndpoints(client("sagemaker-runtime", config=INVOKE_CONFIG)),
    # Only for inputs that exceed the request.
    inputs=S3Objects(lazy_client("s3", _config)),
    input_prefix=os.environ[Variable.INPUT_PREFIX] or None,
    endpoint_names=frozenset(json.loads(os.environ[Variable.SUBMIT_ENDPOINTS])),
    completes_tasks=_completes_tasks,
    retention=_retention,
    now=_now,
    sleep=time.sleep,
    new_token=lambda: uuid.uuid4().hex,
)


@api.route(Route.SUBMIT_INFERENCE)
def submit_inference() -> Response[Any]:
    api.query(Route.SUBMIT_INFERENCE)
    fields, content = parse_input(api.body())
    endpoint, key = fields.get(ENDPOINT.name), fields.get(IDEMPOTENCY_KEY.name)
    if isinstance(endpoint, str) and isinstance(key, str):
        api.log_inference(inference_id_for(endpoint, key), endpoint)
    submitted = _submit_inference(fields, content)
    status = HTTPStatus.CREATED if submitted.created else HTTPStatus.OK
    return Response(status, "application/json", json.dumps(submitted.record))


@api.route(Route.REGISTER_INFERENCE)
def register_inference() -> Response[Any]:
    api.query(Route.REGISTER_INFERENCE)
    return _register(api.path_parameter("inference_id"))


@api.route(Route.REGISTER_INFERENCE_BY_QUERY)
def register_inference_by_query() -> Response[Any]:
    return _register(api.query(Route.REGISTER_INFERENCE_BY_QUERY)["id"])


def _register(inference_id: str) -> Response[Any]:
    fields = api.body()
    api.log_inference(inference_id, fields.get(ENDPOINT.name))
    record = _register_invocation(inference_id, fields)
    return Response(HTTPStatus.OK, "application/json", json.dumps(record))


@logger.inject_lambda_context(clear_state=True, correlation_id_path=API_GATEWAY_HTTP)
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request of an HTTP API (payload format 2.0)."""
    return api.resolve(event, context)
