"""No message is returned to the queue forever, and no request gets a 5xx response."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from unittest.mock import patch

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.adapters.sagemaker import AsyncEndpoints
from inference_results.contract import SUBMISSION_ROUTES, Route
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.results.notification import ResultNotification, parse_notification
from inference_results.domain.submissions.invocation import InvocationResponse
from schemas.openapi import document
from tests.fuzz.inputs import (
    ANY_TEXT,
    BODIES,
    HANDWRITTEN,
    NOTIFICATION,
    queries,
)
from tests.support.effort import effort
from tests.support.fakes import NOW
from tests.support.handlers import returned_ids, sqs_event
from tests.support.synthesis import STATE_MACHINE, synthesised

INVALID_IN_SQS: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that SQS rejects in a message."""


@pytest.fixture
def deliver(load_handler, s3, unprocessable_queue_url, context):
    """Return a function that delivers a batch and returns the returned and the rejected bodies."""
    handler = load_handler("record_result")
    queue = boto3.resource("sqs").Queue(unprocessable_queue_url)

    def deliver(bodies: list[str], receive_count: int) -> tuple[list[str], list[str]]:
        ids = returned_ids(handler(sqs_event(*bodies, receive_count=receive_count), context))
        rejected = []
        while messages := queue.receive_messages(MaxNumberOfMessages=10):
            rejected += [each.body for each in messages]
            for each in messages:
                each.delete()
        return [bodies[int(each.removeprefix("message-"))] for each in ids], rejected

    return deliver


def try_parse(body: str) -> Any:
    try:
        return parse_notification(body)
    except Unprocessable:
        return None


def read_record(table_name: str, notification: ResultNotification) -> dict[str, Any]:
    key = {
        "inference_id": {"S": notification.inference_id},
        "endpoint_name": {"S": notification.endpoint_name},
    }
    return boto3.client("dynamodb").get_item(TableName=table_name, Key=key).get("Item", {})


def check_delivery(deliver: Any, table_name: str, bodies: list[str]) -> None:
    """Check that unparsable messages are rejected at once, and all results recorded in the end."""
    # In a thread, as in the handler: the depth of JSON that can be parsed depends on the stack.
    with ThreadPoolExecutor(1) as pool:
        notifications = dict(zip(bodies, pool.map(try_parse, bodies), strict=True))
    returned, rejected = deliver(bodies, 1)
    assert sorted(rejected) == sorted(each or " " for each in bodies if notifications[each] is None)
    assert all(isinstance(notifications[each], ResultNotification) for each in returned)
    if returned:
        assert deliver(returned, 3) == ([], [])
    for each in notifications.values():
        if isinstance(each, ResultNotification):
            assert read_record(table_name, each)["status"]["S"]


BODY: Final = NOTIFICATION.map(lambda text: INVALID_IN_SQS.sub("?", text))


def test_handwritten_messages_are_rejected_at_once_or_recorded(deliver, table_name):
    check_delivery(deliver, table_name, [INVALID_IN_SQS.sub("?", each) for each in HANDWRITTEN])


@effort(short=15, long=1_000)
@given(st.lists(BODY, min_size=5, max_size=10))
def test_any_message_is_rejected_at_once_or_recorded_in_the_end(deliver, table_name, bodies):
    check_delivery(deliver, table_name, bodies)


@pytest.fixture
def load_with_fake_clock(load_handler):
    """Return a function that imports a handler whose sleeps take no time."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def load(name, *template):
        with patch("time.monotonic", lambda: now[0]), patch("time.sleep", sleep):
            return load_handler(name, *template)

    return load


@st.composite
def requests(draw: st.DrawFn, routes: tuple[Route, ...]) -> dict[str, Any]:
    route = draw(st.sampled_from(routes))
    method, path = route.split(" ")
    names = re.findall("{(.+?)}", path)
    parameters = {name: draw(st.just("inference-1") | ANY_TEXT) for name in names}
    return {
        "version": "2.0",
        "routeKey": route.value,
        "rawPath": path.format(**parameters),
        "rawQueryString": draw(queries(route)),
        "headers": draw(st.just({}) | st.dictionaries(st.just("if-none-match"), ANY_TEXT)),
        "pathParameters": parameters,
        "requestContext": {
            "http": {"method": method, "path": path.format(**parameters)},
            "stage": "$default",
            "requestId": "request-1",
        },
        "body": draw(BODIES.get(route, ANY_TEXT)),
        "isBase64Encoded": draw(st.sampled_from([False] * 9 + [True])),
    }


def check_response(event: dict[str, Any], response: dict[str, Any]) -> None:
    """Check that the OpenAPI document lists the response's status, and that it is not a 5xx."""
    method, path = event["routeKey"].split(" ")
    documented = document()["paths"][path][method.lower()]["responses"]
    assert str(response["statusCode"]) in documented
    assert response["statusCode"] < 500
    json.dumps(response, ensure_ascii=False).encode()  # as Lambda's runtime does
    if response["headers"]["Content-Type"].endswith("json"):
        json.loads(response["body"])


RECORD: Final = {
    "inference_id": "inference-1",
    "endpoint_name": "here",
    "status": "Completed",
    "event_time": "2026-01-25T13:00:00.000Z",
    "event_order": "internal",
    "endpoint_shard": "0#here",
    "endpoint_sort": "2026-01-25T13:00:00.000Z#inference-1",
    "output": {"inline": b"output", "content_type": "text/plain"},
}

READ_ROUTES: Final = tuple(each for each in Route if each not in SUBMISSION_ROUTES)
WRITE_ROUTES: Final = tuple(SUBMISSION_ROUTES)


@pytest.fixture
def status_api(load_with_fake_clock, s3, table_name):
    """Import the status API, over a table with one record."""
    table = boto3.resource("dynamodb").Table(table_name)
    table.put_item(Item=RECORD)
    return load_with_fake_clock("status_api")


@effort(short=60, long=8_000)
@given(event=requests(READ_ROUTES))
def test_any_query_gets_a_documented_response(status_api, context, event):
    check_response(event, status_api(event, context))


@pytest.fixture
def submission_api(load_with_fake_clock, s3):
    s3.create_bucket(Bucket="customer-inputs")
    template = synthesised("submission", state_machine_arns=STATE_MACHINE)["InferenceResults"]
    response = InvocationResponse(
        invoked_at=NOW,
        output_location="s3://customer-outputs/async/one.out",
        failure_location=None,
    )
    with patch.object(AsyncEndpoints, "invoke", return_value=response):
        yield load_with_fake_clock("submission_api", template)


@effort(short=60, long=8_000)
@given(event=requests(WRITE_ROUTES))
def test_any_submission_gets_a_documented_response(submission_api, context, event):
    check_response(event, submission_api(event, context))
