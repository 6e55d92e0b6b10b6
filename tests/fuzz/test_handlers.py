"""No message is delivered again for ever, and no request makes the service fail."""

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
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.contract import SUBMISSION_ROUTES, Route
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.results.notification import ResultNotification, parse_notification
from inference_results.domain.submissions.submit import InvocationResponse
from schemas.openapi import document
from tests.effort import effort
from tests.fakes import NOW
from tests.functions.test_record_result import event, failures
from tests.functions.test_submission_api import STATE_MACHINE
from tests.fuzz.inputs import (
    ANY_TEXT,
    BODIES,
    HAND_MADE,
    NOTIFICATION,
    queries,
)
from tests.synthesis import synthesised

IN_SQS: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS takes in no message."""


@pytest.fixture
def deliver(load_handler, s3, unprocessable_queue_url, context):
    """Delivers a batch; answers with what is to come again, and with what was parked."""
    handler = load_handler("record_result")
    queue = boto3.resource("sqs").Queue(unprocessable_queue_url)

    def deliver(texts: list[str], receive_count: int) -> tuple[list[str], list[str]]:
        failed = failures(handler(event(*texts, receive_count=receive_count), context))
        parked = []
        while messages := queue.receive_messages(MaxNumberOfMessages=10):
            parked += [each.body for each in messages]
            for each in messages:
                each.delete()
        return [texts[int(each.removeprefix("message-"))] for each in failed], parked

    return deliver


def read(text: str) -> Any:
    try:
        return parse_notification(text)
    except Unprocessable:
        return None


def recorded(table_name: str, result: ResultNotification) -> dict[str, Any]:
    key = {
        "inference_id": {"S": result.inference_id},
        "endpoint_name": {"S": result.endpoint_name},
    }
    return boto3.client("dynamodb").get_item(TableName=table_name, Key=key).get("Item", {})


def check_delivery(deliver: Any, table_name: str, texts: list[str]) -> None:
    """What cannot be read is parked at once; all else ends as a record, or means nothing."""
    # In a thread, as the handler does: how much nesting can be read depends on the calls above.
    with ThreadPoolExecutor(1) as pool:
        notifications = dict(zip(texts, pool.map(read, texts), strict=True))
    again, parked = deliver(texts, 1)
    assert sorted(parked) == sorted(text or " " for text in texts if notifications[text] is None)
    assert all(isinstance(notifications[text], ResultNotification) for text in again)
    if again:
        assert deliver(again, 3) == ([], [])
    for each in notifications.values():
        if isinstance(each, ResultNotification):
            assert recorded(table_name, each)["status"]["S"]


MESSAGE: Final = NOTIFICATION.map(lambda text: IN_SQS.sub("?", text))


def test_hand_made_messages_are_parked_at_once_or_recorded(deliver, table_name):
    check_delivery(deliver, table_name, [IN_SQS.sub("?", each) for each in HAND_MADE])


@effort(short=15, long=1_000)
@given(st.lists(MESSAGE, min_size=5, max_size=10))
def test_any_message_is_parked_at_once_or_recorded_in_the_end(deliver, table_name, texts):
    check_delivery(deliver, table_name, texts)


@pytest.fixture
def load_impatient(load_handler):
    """Import a handler to which whatever it sleeps is over at once."""
    moments = [0.0]

    def sleep(seconds: float) -> None:
        moments[0] += seconds

    def load(name, *template):
        with patch("time.monotonic", lambda: moments[0]), patch("time.sleep", sleep):
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


def check_answer(request: dict[str, Any], answer: dict[str, Any]) -> None:
    """It is one that the OpenAPI document knows, and no failure of the service."""
    method, path = request["routeKey"].split(" ")
    described = document()["paths"][path][method.lower()]["responses"]
    assert str(answer["statusCode"]) in described
    assert answer["statusCode"] < 500
    json.dumps(answer, ensure_ascii=False).encode()  # as Lambda's runtime does
    if answer["headers"]["Content-Type"].endswith("json"):
        json.loads(answer["body"])


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

READING: Final = tuple(each for each in Route if each not in SUBMISSION_ROUTES)
WRITING: Final = tuple(SUBMISSION_ROUTES)


@pytest.fixture
def status_api(load_impatient, s3, table_name):
    """Knows one record."""
    table = boto3.resource("dynamodb").Table(table_name)
    table.put_item(Item=RECORD)
    # moto has no batches of PartiQL.
    with patch.object(InferenceQueries, "find_many", return_value=[]):
        yield load_impatient("status_api")


@effort(short=60, long=8_000)
@given(asked=requests(READING))
def test_any_question_is_answered(status_api, context, asked):
    check_answer(asked, status_api(asked, context))


@pytest.fixture
def submission_api(load_impatient, s3):
    s3.create_bucket(Bucket="customer-inputs")
    template = synthesised("submission", state_machine_arns=STATE_MACHINE)["InferenceResults"]
    told = InvocationResponse(
        invoked_at=NOW,
        output_location="s3://customer-outputs/async/one.out",
        failure_location=None,
    )
    with patch.object(AsyncEndpoints, "invoke", return_value=told):
        yield load_impatient("submission_api", template)


@effort(short=60, long=8_000)
@given(asked=requests(WRITING))
def test_any_submission_is_answered(submission_api, context, asked):
    check_answer(asked, submission_api(asked, context))
