"""Every handler over every path: what it does well, and each of its adapters failing.

Whatever must not reach a log holds a canary. What is printed and logged on the way is for the
tests to look at: metrics in test_emf.py, logs in test_logs.py.
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
from inference_results.domain.submissions.register import RegisterInvocation
from inference_results.domain.submissions.submit import InvocationResponse
from tests.functions.conftest import BUCKET, Context
from tests.samples import EVENTS, body, completed, failed, sample

WATCHED = "speech"
"""Of the endpoints in the settings of `observed_template`."""
UNWATCHED = "nobody-watches"

NOON = "2026-01-25T12:00:00.000Z"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)
PLACE = f"s3://{BUCKET}/async/"


def canary(place: str) -> str:
    """A text that no log may hold; `place` tells where it was."""
    return f"canary-in-{place}"


MEMBERS = {
    "custom_attributes": canary("custom-attributes"),
    "metadata": {"note": canary("metadata")},
    "content_type": canary("content-type"),
}
HEADERS = {
    "authorization": f"AWS4-HMAC-SHA256 {canary('authorization')}",
    "x-amz-security-token": canary("security-token"),
}
TOKEN = {"task_token": canary("task-token")}

UNEXPECTED = (
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
    """Runs handlers, whose modules `load` imports; the account is moto's."""

    def __init__(self, load: Callable[[Service], Any], table_name: str, patched: Any) -> None:
        self._load = load
        self._table_name = table_name
        self._patched = patched
        self._dynamodb = boto3.client("dynamodb")
        self._s3 = boto3.client("s3")

    def run(self) -> None:
        self.record_results()
        self.sweep()
        self.announce()
        self.summarize()
        self.answer_questions()
        self.submit()

    def record_results(self) -> None:
        handler = self._load(Service.RECORD_RESULT)
        self._put("one.out", "empty.out")
        everything = list(_messages())
        handler(_batch(everything, receive_count=1), Context())
        handler(_batch(everything, receive_count=3), Context())
        handler(_batch(everything), Context(remaining_ms=1_000))
        for adapter, method in (
            (S3Objects, "read_start"),
            (ResultStore, "record"),
            (ResultStore, "submitted_failure_location"),
            (UnprocessableQueue, "park"),
        ):
            for _ in self._failing(adapter, method):
                handler(_batch(everything), Context())

    def sweep(self) -> None:
        handler = self._load(Service.RECONCILE)
        for endpoint in (WATCHED, UNWATCHED):
            self._sweep_endpoint(handler, endpoint)
        self._register("malformed", WATCHED)
        self._update("malformed", WATCHED, "SET deadline = :value", {"N": "7"})
        handler({}, Context(remaining_ms=60_000))
        for adapter, method in (
            (S3Objects, "read_start"),
            (ResultStore, "settle"),
            (OverdueQueries, "in_progress"),
        ):
            for _ in self._failing(adapter, method):
                self._register("again", WATCHED)
                with suppress(Exception):
                    handler({}, Context(remaining_ms=60_000))
        with self._patched() as patched:
            patched.setattr(ResultStore, "settle", lambda *_: False)
            handler({}, Context(remaining_ms=60_000))

    def _sweep_endpoint(self, handler: Any, endpoint: str) -> None:
        self._put(f"{endpoint}-found.out", f"{endpoint}-later.out")
        self._put(f"{endpoint}-failed.err")
        for name in ("found", "failed", "lost"):
            self._register(f"{endpoint}-{name}", endpoint)
        for name in ("later", "never"):
            self._unread(f"{endpoint}-{name}", endpoint)
        handler({}, Context(remaining_ms=60_000))

    def announce(self) -> None:
        boto3.client("events").create_event_bus(Name="inference-events")
        handler = self._load(Service.PUBLISH_EVENTS)
        records = [_change(number, _waited_for(f"a-{number}")) for number in range(2)]
        malformed = _change(
            9, _waited_for("a-9") | {"status": {"N": "7"}, "note": {"S": canary("it")}}
        )
        for reply in CompletionResult:
            with self._patched() as patched:
                _reply(patched, StepFunctionsTasks, "answer", reply)
                handler(_stream([*records, malformed]), Context())
                for other in (PutResult.NEVER, PutResult.NOT_NOW):
                    _reply(patched, EventBus, "put", other)
                    handler(_stream(records), Context())
        for adapter, method in ((EventBus, "put"), (StepFunctionsTasks, "answer")):
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

    def answer_questions(self) -> None:
        handler = self._load(Service.STATUS_API)
        self._dynamodb.put_item(TableName=self._table_name, Item=_image("asked"))
        self._dynamodb.put_item(
            TableName=self._table_name,
            Item=_image("goes-on") | {"status": {"S": "InProgress"}},
        )
        for question in (*_questions(), *_odd_questions()):
            handler(question, Context())
        for adapter, method, route in (
            (InferenceQueries, "find", Route.GET_INFERENCE),
            (InferenceQueries, "find_many", Route.BATCH_GET),
            (InferenceQueries, "newest", Route.LIST_INFERENCES),
            (SummaryStore, "read", Route.SUMMARIZE_ENDPOINT),
            (S3Objects, "look_up", Route.GET_OUTPUT),
        ):
            (question,) = [each for each in _questions() if each["routeKey"] == route]
            for _ in self._failing(adapter, method):
                with suppress(Exception):
                    handler(question, Context())

    def submit(self) -> None:
        self._s3.create_bucket(Bucket="customer-inputs")
        handler = self._load(Service.SUBMISSION_API)
        made = InvocationResponse(
            invoked_at=LONG_AGO, output_location=PLACE + "s", failure_location=None
        )
        with self._patched() as patched:
            patched.setattr(AsyncEndpoints, "invoke", lambda *_: made)
            for each in (*_submissions(), *_odd_submissions()):
                handler(each, Context())
        refusals = (
            lambda: InvocationRejected("ValidationError", canary("refusal")),
            lambda: InvocationUnconfirmed(canary("silence")),
        )
        for adapter, method in (
            (AsyncEndpoints, "invoke"),
            (SubmissionStore, "create"),
            (SubmissionStore, "register"),
            (S3Objects, "put"),
        ):
            for number in self._failing(adapter, method, (*UNEXPECTED, *refusals)):
                for each in _submissions(f"{method} {number}"):
                    with suppress(Exception):
                        handler(each, Context())

    def _failing(
        self, adapter: type, method: str, errors: tuple[Callable[[], Exception], ...] = UNEXPECTED
    ) -> Iterator[int]:
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
        members = {
            "endpoint": endpoint,
            "submitted_at": timestamp(LONG_AGO),
            "output_location": f"{PLACE}{inference_id}.out",
            "failure_location": f"{PLACE}{inference_id}.err",
            **MEMBERS,
        }
        register(inference_id, members)

    def _unread(self, inference_id: str, endpoint: str) -> None:
        """A record whose output could not be read when its notification came, long ago."""
        outcome = Result(
            inference_id=inference_id,
            endpoint_name=endpoint,
            status="Completed",
            event_time=NOON,
            event_order=event_order(event_time=NOON, status="Completed", location=None, digest=""),
            recorded_at=timestamp(LONG_AGO),
            expires_at=2_000_000_000,
            output=Output(location=f"{PLACE}{inference_id}.out"),
            output_error=OutputError("NoSuchKey", "S3 has no such object"),
        )
        ResultStore(self._dynamodb, self._table_name, 4).record(outcome)

    def _update(self, inference_id: str, endpoint: str, how: str, value: dict[str, str]) -> None:
        self._dynamodb.update_item(
            TableName=self._table_name,
            Key={"inference_id": {"S": inference_id}, "endpoint_name": {"S": endpoint}},
            UpdateExpression=how,
            ExpressionAttributeValues={":value": value},
        )


def _messages() -> Iterator[str]:
    """Bodies of messages of every kind."""
    request = {"customAttributes": canary("custom-attributes"), "accept": canary("accept")}
    for endpoint in (WATCHED, UNWATCHED):
        here = {"requestParameters": request | {"endpointName": endpoint}}
        yield body(completed(f"{endpoint}-1", **here))
        yield body(completed(f"{endpoint}-1", **here))  # a duplicate, or it runs beside the first
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


def _reply(patched: Any, adapter: type, method: str, reply: Any) -> None:
    """Let an adapter answer everything so."""
    patched.setattr(adapter, method, lambda _, offered, __: [reply] * len(offered))


def _waited_for(name: str) -> dict[str, Any]:
    return _image(name) | {"task_tokens": {"SS": [canary("task-token")]}}


def _image(inference_id: str) -> dict[str, Any]:
    """As the table has it."""
    outcome = Result(
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
            location=PLACE + "one.out",
            bucket=BUCKET,
            key="async/one.out",
            inline=canary("output").encode(),
        ),
    )
    more = {"caller_metadata": {"M": {"note": {"S": canary("metadata")}}}}
    image: dict[str, Any] = ResultStore(None, "inferences", 4).item(outcome)  # type: ignore[arg-type]
    return image | more


def _change(number: int, image: dict[str, Any]) -> dict[str, Any]:
    change = {
        "SequenceNumber": str(100 + number),
        "ApproximateCreationDateTime": 1_769_342_400,
        "NewImage": image,
    }
    return {"eventID": "id", "eventName": "INSERT", "dynamodb": change}


def _stream(records: list[dict[str, Any]]) -> Any:
    """As Lambda hands it over: JSON, with binary as base64."""
    event = {"Records": records, "shardId": "shard-1"}
    return json.loads(json.dumps(event, default=lambda each: base64.b64encode(each).decode()))


def _request(route: str, query: dict[str, str] | None = None, members: Any = None) -> Any:
    method, pattern = route.split(" ")
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": pattern,
        "rawQueryString": urlencode(query or {}),
        "headers": HEADERS,
        "pathParameters": {"inference_id": "asked", "endpoint_name": WATCHED},
        "requestContext": {
            "http": {"method": method, "path": pattern},
            "stage": "$default",
            "requestId": "api-request-1",
        },
        "body": members if isinstance(members, str) else json.dumps(members),
        "isBase64Encoded": False,
    }


def _with_id(request: Any, inference_id: str) -> Any:
    return request | {"pathParameters": {"inference_id": inference_id}}


def _questions() -> Iterator[dict[str, Any]]:
    queries = {
        Route.GET_INFERENCE_BY_QUERY: {"id": "asked"},
        Route.GET_OUTPUT_BY_QUERY: {"id": "asked"},
        Route.LIST_INFERENCES: {"endpoint": WATCHED},
    }
    for route in sorted(frozenset(Route) - SUBMISSION_ROUTES - {Route.GET_OPENAPI}):
        yield _request(route, queries.get(route), {"inference_ids": ["asked", "goes-on"]})


def _odd_questions() -> Iterator[dict[str, Any]]:
    for route in sorted(frozenset(Route) - SUBMISSION_ROUTES):
        yield _request(route, {canary("query"): canary("value")}, canary("body"))
    yield _request(Route.GET_INFERENCE_BY_QUERY, {"id": "goes-on", "wait": "0.01"})
    yield _with_id(_request(Route.GET_INFERENCE), canary("no-id") * 9)
    yield _with_id(_request(Route.GET_OUTPUT), canary("no-id") * 9)
    yield _request(Route.GET_INFERENCE_BY_QUERY, {"id": "unknown"})
    yield _request("GET /elsewhere")


def _submissions(key: str = "one") -> Iterator[dict[str, Any]]:
    submission = {
        "endpoint": WATCHED,
        "idempotency_key": f"{key} {canary('idempotency-key')}",
        "input": {"encoding": "utf-8", "content": canary("input")},
        **MEMBERS,
    }
    registration = {
        "endpoint": WATCHED,
        "submitted_at": timestamp(LONG_AGO),
        "output_location": PLACE + "registered.out",
        **MEMBERS,
    }
    large = {
        "idempotency_key": f"{key} large",
        "input": {"encoding": "utf-8", "content": canary("input") * 20_000},
    }
    yield _request(Route.SUBMIT_INFERENCE, None, submission)
    yield _request(Route.SUBMIT_INFERENCE, None, submission | large)
    yield _request(Route.REGISTER_INFERENCE, None, registration)


def _odd_submissions() -> Iterator[dict[str, Any]]:
    submission, _, registration = (json.loads(each["body"]) for each in _submissions())
    other = {"input": {"encoding": "utf-8", "content": canary("other-input")}}
    yield _request(Route.SUBMIT_INFERENCE, None, submission)
    yield _request(Route.SUBMIT_INFERENCE, None, submission | other)
    yield _request(Route.SUBMIT_INFERENCE, None, submission | TOKEN)
    yield _request(Route.SUBMIT_INFERENCE, None, canary("body"))
    yield _request(Route.REGISTER_INFERENCE, None, registration | TOKEN)
    yield _request(Route.REGISTER_INFERENCE_BY_QUERY, {"id": "asked"}, registration)
    yield _with_id(_request(Route.REGISTER_INFERENCE, None, registration), canary("no-id") * 9)
    for unknown in (registration, submission):
        endpoint = {"endpoint": canary("endpoint") * 20}
        yield _request(Route.REGISTER_INFERENCE, None, unknown | endpoint)
        yield _request(Route.SUBMIT_INFERENCE, None, unknown | endpoint)
