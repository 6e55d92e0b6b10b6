"""Run every handler through every path: success, invalid input, and errors of each adapter.

Every text that must not be logged contains a canary. Tests then check the output of the run:
test_emf.py its metrics, test_logs.py its logs.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import boto3
from botocore.exceptions import ClientError

from inference_results.adapters.eventbridge import EventBus
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sagemaker import AsyncEndpoints
from inference_results.adapters.sqs import UnprocessableQueue
from inference_results.adapters.stepfunctions import StepFunctionsTasks
from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.adapters.table.summaries import SummaryStore
from inference_results.contract import SUBMISSION_ROUTES, Route, Service
from inference_results.domain.changes.complete_tasks import CompletionResult
from inference_results.domain.changes.publish import PutResult
from inference_results.domain.record.errors import (
    InvocationRejected,
    InvocationUnconfirmed,
    Unavailable,
)
from inference_results.domain.record.order import event_order
from inference_results.domain.record.result import Output, OutputError, Result
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.invocation import InvocationResponse
from inference_results.domain.submissions.register import RegisterInvocation
from tests.support.handlers import BUCKET, Context
from tests.support.samples import EVENTS, body, completed, failed, sample

WATCHED = "speech"
"""A watched endpoint of `observed_template`."""
UNWATCHED = "unwatched"

NOON = "2026-01-25T12:00:00.000Z"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)
OUTPUT_PREFIX = f"s3://{BUCKET}/async/"


def canary(origin: str) -> str:
    """Return a text that must not be logged. `origin` shows where a log got it from."""
    return f"canary-in-{origin}"


CALLER_FIELDS = {
    "custom_attributes": canary("custom-attributes"),
    "metadata": {"note": canary("metadata")},
    "content_type": canary("content-type"),
}
HEADERS = {
    "authorization": f"AWS4-HMAC-SHA256 {canary('authorization')}",
    "x-amz-security-token": canary("security-token"),
}
TOKEN = {"task_token": canary("task-token")}

ADAPTER_ERRORS = (
    lambda: ZeroDivisionError(canary("error")),
    lambda: ClientError(
        {
            "Error": {"Code": "ValidationException", "Message": canary("aws-error")},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        },
        "UpdateItem",
    ),
    lambda: Unavailable("dynamodb", "ThrottlingException"),
)


class EveryPath:
    """Runs handlers on moto. `load` imports a handler, `patched` is a context for patches."""

    def __init__(self, load: Callable[[Service], Any], table_name: str, patched: Any) -> None:
        self._load = load
        self._table_name = table_name
        self._patched = patched
        self._dynamodb = boto3.client("dynamodb")
        self._s3 = boto3.client("s3")

    def run(self) -> None:
        self.record_results()
        self.reconcile()
        self.publish_events()
        self.summarize()
        self.query()
        self.submit()

    def record_results(self) -> None:
        handler = self._load(Service.RECORD_RESULT)
        self._put("one.out", "empty.out")
        bodies = list(_messages())
        handler(_batch(bodies, receive_count=1), Context())
        handler(_batch(bodies, receive_count=3), Context())
        handler(_batch(bodies), Context(remaining_ms=1_000))
        for adapter, method in (
            (S3Objects, "read_start"),
            (ResultStore, "record"),
            (ResultStore, "promised_failure_location"),
            (UnprocessableQueue, "reject"),
        ):
            for _ in self._failing(adapter, method):
                handler(_batch(bodies), Context())

    def reconcile(self) -> None:
        handler = self._load(Service.RECONCILE)
        for endpoint in (WATCHED, UNWATCHED):
            self._reconcile_endpoint(handler, endpoint)
        self._register("malformed", WATCHED)
        self._update("malformed", WATCHED, "SET deadline = :value", {"N": "7"})
        handler({}, Context(remaining_ms=60_000))
        for adapter, method in (
            (S3Objects, "read_start"),
            (ResultStore, "finish"),
            (OverdueQueries, "in_progress"),
        ):
            for _ in self._failing(adapter, method):
                self._register("again", WATCHED)
                with suppress(Exception):
                    handler({}, Context(remaining_ms=60_000))
        with self._patched() as patched:
            patched.setattr(ResultStore, "finish", lambda *_: False)
            handler({}, Context(remaining_ms=60_000))

    def _reconcile_endpoint(self, handler: Any, endpoint: str) -> None:
        self._put(f"{endpoint}-found.out", f"{endpoint}-later.out")
        self._put(f"{endpoint}-failed.err")
        for name in ("found", "failed", "lost"):
            self._register(f"{endpoint}-{name}", endpoint)
        for name in ("later", "never"):
            self._record_unread(f"{endpoint}-{name}", endpoint)
        handler({}, Context(remaining_ms=60_000))

    def publish_events(self) -> None:
        boto3.client("events").create_event_bus(Name="inference-events")
        handler = self._load(Service.PUBLISH_EVENTS)
        records = [_change(number, _image_with_task(f"a-{number}")) for number in range(2)]
        malformed = _change(
            9,
            _image_with_task("a-9") | {"status": {"N": "7"}, "note": {"S": canary("malformed")}},
        )
        for completion_result in CompletionResult:
            with self._patched() as patched:
                _always_return(patched, StepFunctionsTasks, "complete", completion_result)
                handler(_stream([*records, malformed]), Context())
                for put_result in (PutResult.REJECTED, PutResult.RETRY):
                    _always_return(patched, EventBus, "put", put_result)
                    handler(_stream(records), Context())
        for adapter, method in ((EventBus, "put"), (StepFunctionsTasks, "complete")):
            for _ in self._failing(adapter, method):
                with suppress(Exception):
                    handler(_stream(records), Context())

    def summarize(self) -> None:
        handler = self._load(Service.SUMMARIZE)
        records = [_change(1, _image("a")), _change(2, _image("b") | {"status": {"N": "7"}})]
        handler(_stream(records), Context())
        for _ in self._failing(SummaryStore, "add"):
            with suppress(Exception):
                handler(_stream(records), Context())

    def query(self) -> None:
        handler = self._load(Service.STATUS_API)
        self._dynamodb.put_item(TableName=self._table_name, Item=_image("ended"))
        self._dynamodb.put_item(
            TableName=self._table_name,
            Item=_image("in-progress") | {"status": {"S": "InProgress"}},
        )
        for request in (*_queries(), *_edge_case_queries()):
            handler(request, Context())
        for adapter, method, route in (
            (InferenceQueries, "find", Route.GET_INFERENCE),
            (InferenceQueries, "find_many", Route.BATCH_GET),
            (InferenceQueries, "newest", Route.LIST_INFERENCES),
            (SummaryStore, "read", Route.SUMMARIZE_ENDPOINT),
            (S3Objects, "look_up", Route.GET_OUTPUT),
        ):
            (request,) = [each for each in _queries() if each["routeKey"] == route]
            for _ in self._failing(adapter, method):
                with suppress(Exception):
                    handler(request, Context())

    def submit(self) -> None:
        self._s3.create_bucket(Bucket="customer-inputs")
        handler = self._load(Service.SUBMISSION_API)
        response = InvocationResponse(
            invoked_at=LONG_AGO, output_location=OUTPUT_PREFIX + "s", failure_location=None
        )
        with self._patched() as patched:
            patched.setattr(AsyncEndpoints, "invoke", lambda *_: response)
            for each in (*_submissions(), *_edge_case_submissions()):
                handler(each, Context())
        invocation_errors = (
            lambda: InvocationRejected("ValidationError", canary("rejection")),
            lambda: InvocationUnconfirmed(canary("timeout")),
        )
        for adapter, method in (
            (AsyncEndpoints, "invoke"),
            (SubmissionStore, "create"),
            (SubmissionStore, "register"),
            (S3Objects, "put"),
        ):
            for number in self._failing(adapter, method, (*ADAPTER_ERRORS, *invocation_errors)):
                for each in _submissions(f"{method} {number}"):
                    with suppress(Exception):
                        handler(each, Context())

    def _failing(
        self,
        adapter: type,
        method: str,
        errors: tuple[Callable[[], Exception], ...] = ADAPTER_ERRORS,
    ) -> Iterator[int]:
        """Make a method raise one error after another, while the caller iterates."""
        assert hasattr(adapter, method), f"{adapter} has no {method}"
        for number, error in enumerate(errors):

            def fail(*_: Any, error: Callable[[], Exception] = error, **__: Any) -> Any:
                raise error()

            with self._patched() as patched:
                patched.setattr(adapter, method, fail)
                yield number

    def _put(self, *keys: str) -> None:
        for key in keys:
            self._s3.put_object(Bucket=BUCKET, Key=f"async/{key}", Body=canary("output").encode())

    def _register(self, inference_id: str, endpoint: str) -> None:
        register = RegisterInvocation(
            registrations=SubmissionStore(self._dynamodb, self._table_name, shards=4),
            retention=timedelta(days=90),
            completes_tasks=True,
            now=lambda: LONG_AGO,
        )
        fields = {
            "endpoint": endpoint,
            "submitted_at": timestamp(LONG_AGO),
            "output_location": f"{OUTPUT_PREFIX}{inference_id}.out",
            "failure_location": f"{OUTPUT_PREFIX}{inference_id}.err",
            **CALLER_FIELDS,
        }
        register(inference_id, fields)

    def _record_unread(self, inference_id: str, endpoint: str) -> None:
        """Record a result whose output could not be read."""
        result = Result(
            inference_id=inference_id,
            endpoint_name=endpoint,
            status="Completed",
            event_time=NOON,
            event_order=event_order(event_time=NOON, status="Completed", location=None, digest=""),
            recorded_at=timestamp(LONG_AGO),
            expires_at=2_000_000_000,
            output=Output(location=f"{OUTPUT_PREFIX}{inference_id}.out"),
            output_error=OutputError("NoSuchKey", "S3 has no such object"),
        )
        ResultStore(self._dynamodb, self._table_name, 4).record(result)

    def _update(
        self, inference_id: str, endpoint: str, expression: str, value: dict[str, str]
    ) -> None:
        self._dynamodb.update_item(
            TableName=self._table_name,
            Key={"inference_id": {"S": inference_id}, "endpoint_name": {"S": endpoint}},
            UpdateExpression=expression,
            ExpressionAttributeValues={":value": value},
        )


def _messages() -> Iterator[str]:
    """Yield message bodies of every kind."""
    request_parameters = {
        "customAttributes": canary("custom-attributes"),
        "accept": canary("accept"),
    }
    for endpoint in (WATCHED, UNWATCHED):
        here = {"requestParameters": request_parameters | {"endpointName": endpoint}}
        yield body(completed(f"{endpoint}-1", **here))
        # A duplicate, possibly processed concurrently.
        yield body(completed(f"{endpoint}-1", **here))
        yield body(completed(f"{endpoint}-1", eventTime="2020-01-01T00:00:00Z", **here))
        yield body(completed(f"{endpoint}-2", "missing.out", **here))
        yield body(completed(f"{endpoint}-3", **here) | {"responseParameters": None})
        for status in ("Failed", "Expired", "Lost", canary("status")):
            reason = canary("failure-reason")
            yield body(
                failed(f"{endpoint}-{len(status)}", **here)
                | {"invocationStatus": status, "failureReason": reason}
            )
    for path in sorted(EVENTS.glob("*.json")):
        event = sample(path.stem)
        event["responseBody"] = {"content": canary("response-body")}
        event["failureReason"] = canary("failure-reason")
        yield body(event)
    yield from (
        canary("body"),
        body({"eventName": canary("event-name")}),
        body(completed() | {"inferenceId": None}),
        body(completed(canary("id") * 9)),
        body(sample("test-notification")),
    )


def _batch(bodies: list[str], receive_count: int = 3) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": canary("receipt-handle"),
                "body": each,
                "attributes": {"ApproximateReceiveCount": str(receive_count)},
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
            }
            for number, each in enumerate(bodies)
        ]
    }


def _always_return(patched: Any, adapter: type, method: str, result: Any) -> None:
    """Make an adapter return the same result for every item."""
    patched.setattr(adapter, method, lambda _, items, __: [result] * len(items))


def _image_with_task(inference_id: str) -> dict[str, Any]:
    return _image(inference_id) | {"task_tokens": {"SS": [canary("task-token")]}}


def _image(inference_id: str) -> dict[str, Any]:
    """Return a record as a DynamoDB item."""
    result = Result(
        inference_id=inference_id,
        endpoint_name=WATCHED,
        status="Completed",
        event_time=NOON,
        event_order=event_order(event_time=NOON, status="Completed", location=None, digest=""),
        recorded_at=NOON,
        expires_at=2_000_000_000,
        received_at=NOON,
        custom_attributes=canary("custom-attributes"),
        output=Output(
            location=OUTPUT_PREFIX + "one.out",
            bucket=BUCKET,
            key="async/one.out",
            inline=canary("output").encode(),
        ),
    )
    metadata = {"caller_metadata": {"M": {"note": {"S": canary("metadata")}}}}
    image: dict[str, Any] = ResultStore(None, "inferences", 4).item(result)  # type: ignore[arg-type]
    return image | metadata


def _change(number: int, image: dict[str, Any]) -> dict[str, Any]:
    change = {
        "SequenceNumber": str(100 + number),
        "ApproximateCreationDateTime": 1_769_342_400,
        "NewImage": image,
    }
    return {"eventID": "id", "eventName": "INSERT", "dynamodb": change}


def _stream(records: list[dict[str, Any]]) -> Any:
    """Return a stream event as Lambda sends it: JSON, with binary values in base64."""
    event = {"Records": records, "shardId": "shard-1"}
    return json.loads(json.dumps(event, default=lambda each: base64.b64encode(each).decode()))


def _request(route: str, query: dict[str, str] | None = None, body: Any = None) -> Any:
    method, pattern = route.split(" ")
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": pattern,
        "rawQueryString": urlencode(query or {}),
        "headers": HEADERS,
        "pathParameters": {"inference_id": "ended", "endpoint_name": WATCHED},
        "requestContext": {
            "http": {"method": method, "path": pattern},
            "stage": "$default",
            "requestId": "api-request-1",
        },
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def _with_id(request: Any, inference_id: str) -> Any:
    return request | {"pathParameters": {"inference_id": inference_id}}


def _queries() -> Iterator[dict[str, Any]]:
    parameters = {
        Route.GET_INFERENCE_BY_QUERY: {"id": "ended"},
        Route.GET_OUTPUT_BY_QUERY: {"id": "ended"},
        Route.LIST_INFERENCES: {"endpoint": WATCHED},
    }
    for route in sorted(frozenset(Route) - SUBMISSION_ROUTES - {Route.GET_OPENAPI}):
        yield _request(route, parameters.get(route), {"inference_ids": ["ended", "in-progress"]})


def _edge_case_queries() -> Iterator[dict[str, Any]]:
    for route in sorted(frozenset(Route) - SUBMISSION_ROUTES):
        yield _request(route, {canary("query"): canary("value")}, canary("body"))
    yield _request(Route.GET_INFERENCE_BY_QUERY, {"id": "in-progress", "wait": "0.01"})
    yield _with_id(_request(Route.GET_INFERENCE), canary("invalid-id") * 9)
    yield _with_id(_request(Route.GET_OUTPUT), canary("invalid-id") * 9)
    yield _request(Route.GET_INFERENCE_BY_QUERY, {"id": "unknown"})
    yield _request("GET /elsewhere")


def _submissions(key: str = "one") -> Iterator[dict[str, Any]]:
    submission = {
        "endpoint": WATCHED,
        "idempotency_key": f"{key} {canary('idempotency-key')}",
        "input": {"encoding": "utf-8", "content": canary("input")},
        **CALLER_FIELDS,
    }
    registration = {
        "endpoint": WATCHED,
        "submitted_at": timestamp(LONG_AGO),
        "output_location": OUTPUT_PREFIX + "registered.out",
        **CALLER_FIELDS,
    }
    large = {
        "idempotency_key": f"{key} large",
        "input": {"encoding": "utf-8", "content": canary("input") * 20_000},
    }
    yield _request(Route.SUBMIT_INFERENCE, None, submission)
    yield _request(Route.SUBMIT_INFERENCE, None, submission | large)
    yield _request(Route.REGISTER_INFERENCE, None, registration)


def _edge_case_submissions() -> Iterator[dict[str, Any]]:
    submission, _, registration = (json.loads(each["body"]) for each in _submissions())
    other_input = {"input": {"encoding": "utf-8", "content": canary("other-input")}}
    yield _request(Route.SUBMIT_INFERENCE, None, submission)
    yield _request(Route.SUBMIT_INFERENCE, None, submission | other_input)
    yield _request(Route.SUBMIT_INFERENCE, None, submission | TOKEN)
    yield _request(Route.SUBMIT_INFERENCE, None, canary("body"))
    yield _request(Route.REGISTER_INFERENCE, None, registration | TOKEN)
    yield _request(Route.REGISTER_INFERENCE_BY_QUERY, {"id": "ended"}, registration)
    yield _with_id(_request(Route.REGISTER_INFERENCE, None, registration), canary("invalid-id") * 9)
    for fields in (registration, submission):
        invalid = fields | {"endpoint": canary("endpoint") * 20}
        yield _request(Route.REGISTER_INFERENCE, None, invalid)
        yield _request(Route.SUBMIT_INFERENCE, None, invalid)
