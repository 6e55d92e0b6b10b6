import base64
import io
import json
import queue
import sys
import threading
import time
from unittest.mock import patch

import boto3
import pytest
from moto.core.botocore_stubber import BotocoreStubber

from functions.telemetry.log_fields import UnexpectedError
from inference_results.adapters.s3 import S3Objects
from inference_results.domain.record.errors import ObjectDenied, Unavailable
from inference_results.domain.results.record_result import RecordResult
from tests.support.emf import parse_metrics
from tests.support.handlers import BUCKET, Context, returned_ids, sqs_event
from tests.support.samples import PREFIX, body, completed, failed, sample

SECRET = "tenant=acme-secret"


@pytest.fixture
def handler(load_handler, s3):
    return load_handler("record_result")


@pytest.fixture
def records(table_name):
    """Return a function that reads all items of the table, by inference id."""

    def read():
        items = boto3.client("dynamodb").scan(TableName=table_name)["Items"]
        return {item["inference_id"]["S"]: item for item in items}

    return read


@pytest.fixture
def rejected(unprocessable_queue_url):
    """Return a function that reads the unprocessable queue: reasons by message body."""

    def read():
        response = boto3.client("sqs").receive_message(
            QueueUrl=unprocessable_queue_url,
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
        )
        return {
            each["Body"]: each["MessageAttributes"]["reason"]["StringValue"]
            for each in response.get("Messages", [])
        }

    return read


def put(s3, content, key="one.out"):
    s3.put_object(Bucket=BUCKET, Key=f"async/{key}", Body=content)


def test_a_batch_of_results_is_recorded(handler, s3, records, context):
    put(s3, b"0.93\n")
    response = handler(sqs_event(body(completed("a")), body(failed("b"))), context)
    assert returned_ids(response) == []
    assert records()["a"]["output"]["M"]["inline"] == {"B": b"0.93\n"}
    assert records()["b"]["status"] == {"S": "Failed"}


def test_the_status_comes_from_the_notification_and_not_from_the_queue(handler, records, context):
    """If both outcomes use one topic, a failure can arrive through either queue."""
    handler(sqs_event(body(failed("a"))), context)
    assert records()["a"]["status"] == {"S": "Failed"}


UNPROCESSABLE = [
    "not json",
    "[]",
    "x" * 1_000_000,
    body(completed("no id") | {"inferenceId": None}),
    body(completed("wrong type") | {"requestParameters": 7}),
    '{"eventName": "Other"}',
]


def test_an_unprocessable_message_is_rejected_and_its_neighbours_are_recorded(
    handler, s3, records, rejected, context
):
    put(s3, b"")
    response = handler(
        sqs_event(body(completed("first")), *UNPROCESSABLE, body(completed("last"))), context
    )
    assert returned_ids(response) == []
    assert set(records()) == {"first", "last"}
    assert rejected() == dict(
        zip(
            UNPROCESSABLE,
            ["NotJson", "NotJson", "NotJson", "MissingField", "InvalidField", "UnknownEvent"],
            strict=True,
        )
    )


UNUSUAL = {
    "a foreign bucket": {"responseParameters": {"outputLocation": "s3://foreign/one.out"}},
    "dots in the key": {"responseParameters": {"outputLocation": f"{PREFIX}../secret.out"}},
    "a missing output": {"responseParameters": {"outputLocation": f"{PREFIX}gone.out"}},
    "an empty output": {"responseParameters": {"outputLocation": f"{PREFIX}empty.out"}},
    "a reason of 200 KB": {"invocationStatus": "Failed", "failureReason": "x" * 200 * 1024},
    "a newer version": {"eventVersion": "1.1", "variant": {"name": "blue"}},
    "invalid fields": {"receivedTime": 7, "failureReason": {}, "responseParameters": "text"},
    "#/ %?&+:;<=>@[]^`{|}~!\"$'()*,-.\\_ " + "Ab" * 15: {},
}


def test_an_unusual_result_is_recorded_and_does_not_affect_its_neighbours(
    handler, s3, records, context
):
    put(s3, b"")
    put(s3, b"", "empty.out")
    bodies = [body(completed(name) | changes) for name, changes in UNUSUAL.items()]
    neighbours = [body(completed("first")), *bodies, body(completed("last"))]
    assert returned_ids(handler(sqs_event(*neighbours, receive_count=3), context)) == []
    found = records()
    assert set(found) == {"first", *UNUSUAL, "last"}
    assert {name: found[name]["status"]["S"] for name in UNUSUAL} == {
        name: "Failed" if "reason" in name else "Completed" for name in UNUSUAL
    }
    reason = found["a reason of 200 KB"]["failure"]["M"]
    assert (len(reason["reason"]["S"]), reason["reason_truncated"]) == (2048, {"BOOL": True})
    assert found["invalid fields"]["ignored_fields"]["L"] == [
        {"S": "responseParameters"},
        {"S": "receivedTime"},
        {"S": "failureReason"},
    ]


def test_an_output_without_access_is_recorded_and_does_not_affect_its_neighbours(
    handler, s3, records, context
):
    put(s3, b"")
    read = S3Objects.read_start

    def denying(self, location, limit):
        if location.key.endswith("denied.out"):
            raise ObjectDenied("AccessDenied", "access denied")
        return read(self, location, limit)

    bodies = [body(completed("denied", "denied.out")), body(completed("fine"))]
    with patch.object(S3Objects, "read_start", denying):
        assert returned_ids(handler(sqs_event(*bodies, receive_count=3), context)) == []
    assert records()["denied"]["output_error"]["M"]["code"] == {"S": "AccessDenied"}
    assert "output_error" not in records()["fine"]


def test_only_the_message_of_a_missing_output_is_returned(handler, s3, records, context):
    put(s3, b"")
    response = handler(
        sqs_event(body(completed("late", "late.out")), body(completed("ready"))), context
    )
    assert returned_ids(response) == ["message-0"]
    assert set(records()) == {"ready"}


def test_an_output_that_stays_missing_is_recorded_with_an_error(handler, records, context):
    response = handler(sqs_event(body(completed("gone")), receive_count=3), context)
    assert returned_ids(response) == []
    assert records()["gone"]["output_error"]["M"]["code"] == {"S": "NoSuchKey"}


def test_an_unexpected_error_does_not_affect_its_neighbours(handler, s3, records, context):
    put(s3, b"")
    read = S3Objects.read_start

    def broken(self, location, limit):
        if location.key.endswith("bug.out"):
            raise ZeroDivisionError("payload: " + SECRET)
        return read(self, location, limit)

    with patch.object(S3Objects, "read_start", broken):
        response = handler(
            sqs_event(body(completed("bug", "bug.out")), body(completed("fine"))), context
        )
    assert returned_ids(response) == ["message-0"]
    assert set(records()) == {"fine"}


def test_a_batch_in_which_every_message_fails_returns_each_message(handler, context):
    response = handler(sqs_event(body(completed("a")), body(completed("b"))), context)
    assert returned_ids(response) == ["message-0", "message-1"]


def test_messages_are_processed_concurrently(handler, s3, context):
    put(s3, b"")
    all_started = threading.Barrier(10, timeout=5)
    read = S3Objects.read_start

    def wait_for_all(self, location, limit):
        all_started.wait()
        return read(self, location, limit)

    bodies = [body(completed(f"id-{number}")) for number in range(10)]
    with patch.object(S3Objects, "read_start", wait_for_all):
        assert returned_ids(handler(sqs_event(*bodies), context)) == []


def test_no_message_starts_shortly_before_the_timeout(handler, records):
    context = Context(remaining_ms=10_000)
    response = handler(sqs_event(body(failed("a")), body(failed("b"))), context)
    assert returned_ids(response) == ["message-0", "message-1"]
    assert records() == {}


def test_messages_that_cannot_start_in_time_are_returned_and_the_others_recorded(
    handler, s3, records
):
    put(s3, b"")
    read = S3Objects.read_start

    def slow(self, location, limit):
        time.sleep(0.6)
        return read(self, location, limit)

    bodies = [body(completed(f"id-{number}")) for number in range(20)]
    with patch.object(S3Objects, "read_start", slow):
        response = handler(sqs_event(*bodies), Context(remaining_ms=15_300))
    assert len(records()) == 10
    assert len(returned_ids(response)) == 10


def test_a_message_that_takes_too_long_is_returned_alone(handler, s3, records, monkeypatch):
    """Otherwise Lambda kills the function and SQS delivers the whole batch again, repeatedly."""
    put(s3, b"")
    put(s3, b"", "slow.out")
    monkeypatch.setattr("functions.event_sources.sqs_batch.RESERVE_SECONDS", 1)
    batch_ended = threading.Event()
    read = S3Objects.read_start

    def hanging(self, location, limit):
        if location.key.endswith("slow.out") and batch_ended.wait(timeout=20):
            raise Unavailable("s3", "Timeout")
        return read(self, location, limit)

    bodies = [body(completed("slow", "slow.out")), body(completed("a")), body(completed("b"))]
    with patch.object(S3Objects, "read_start", hanging):
        response = handler(sqs_event(*bodies), Context(remaining_ms=5_000))
        batch_ended.set()
    assert returned_ids(response) == ["message-0"]
    assert set(records()) == {"a", "b"}


def test_a_batch_that_raises_does_not_block_the_next_one(handler, s3, context):
    """Its threads can be busy for long, so the next batch gets new ones."""
    put(s3, b"")
    next_batch_ended = threading.Event()
    process = RecordResult.__call__

    def hanging(self, message):
        if message.message_id != "message-0" and next_batch_ended.wait(timeout=20):
            raise Unavailable("s3", "Timeout")
        return process(self, message)

    bodies = [body(completed(f"id-{number}")) for number in range(11)]
    process_batch = sys.modules[handler.__module__]._process_batch
    with (
        patch.object(RecordResult, "__call__", hanging),
        patch.object(process_batch._logger, "debug", side_effect=OSError),
        pytest.raises(UnexpectedError),
    ):
        handler(sqs_event(*bodies), context)
    started_at = time.monotonic()
    assert returned_ids(handler(sqs_event(body(completed("next"))), context)) == []
    assert time.monotonic() - started_at < 10
    next_batch_ended.set()


def test_a_message_that_ends_after_its_batch_is_processed_at_most_twice(
    handler, s3, records, rejected, context, monkeypatch
):
    """Its thread continues during the next batch, which processes the message again."""
    put(s3, b"0.93\n")
    monkeypatch.setattr("functions.event_sources.sqs_batch.RESERVE_SECONDS", 0)
    next_batch_ended, late = threading.Event(), queue.Queue()
    process = RecordResult.__call__

    def hanging(self, message):
        next_batch_ended.wait(timeout=20)
        late.put(process(self, message).disposition)

    batch = sqs_event(body(completed("late")), "not json")
    with patch.object(RecordResult, "__call__", hanging):
        response = handler(batch, Context(remaining_ms=2_100))
    assert returned_ids(response) == ["message-0", "message-1"]
    assert returned_ids(handler(batch, context)) == []
    before = records()
    assert rejected() == {"not json": "NotJson"}
    next_batch_ended.set()
    assert {late.get(timeout=20) for _ in range(2)} == {"Duplicate", "Unprocessable"}
    assert rejected() == {"not json": "NotJson"}
    assert records() == before


def test_a_batch_delivered_again_after_a_kill_does_not_change_its_records(
    handler, s3, records, capsys, context
):
    """A killed function returns no response, so SQS delivers its whole batch again."""
    put(s3, b"0.93\n")
    bodies = [body(completed(f"id-{number}")) for number in range(10)]
    handler(sqs_event(*bodies[:5]), context)
    before = records()
    capsys.readouterr()
    assert returned_ids(handler(sqs_event(*bodies, receive_count=2), context)) == []
    counts = {each.name: sum(each.values) for each in parse_metrics(capsys.readouterr().out)}
    assert (counts["Duplicate"], counts["Recorded"]) == (5, 5)
    after = records()
    assert len(after) == 10
    assert {name: after[name] for name in before} == before


def test_results_are_returned_while_the_table_throttles_and_recorded_afterwards(
    handler, s3, records, rejected, context, monkeypatch
):
    put(s3, b"")
    bodies = [body(completed("a")), body(failed("b")), "not json"]
    process_request = BotocoreStubber.process_request

    def throttling(self, request):
        if "DynamoDB" not in str(request.headers.get("X-Amz-Target")):
            return process_request(self, request)
        return 400, {}, json.dumps({"__type": "x#ThrottlingException", "message": "slow down"})

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with patch.object(BotocoreStubber, "process_request", throttling):
        assert returned_ids(handler(sqs_event(*bodies), context)) == ["message-0", "message-1"]
    assert records() == {}
    assert returned_ids(handler(sqs_event(*bodies[:2], receive_count=2), context)) == []
    assert {name: each["status"]["S"] for name, each in records().items()} == {
        "a": "Completed",
        "b": "Failed",
    }
    assert list(rejected()) == ["not json"]


def test_results_are_recorded_when_the_output_bucket_was_deleted(handler, s3, records, context):
    s3.delete_bucket(Bucket=BUCKET)
    failure_location = f"{PREFIX}one.err"
    bodies = [body(completed("a")), body(failed("b", failureLocation=failure_location))]
    assert returned_ids(handler(sqs_event(*bodies), context)) == ["message-0"]
    assert returned_ids(handler(sqs_event(*bodies, receive_count=3), context)) == []
    found = records()
    assert found["a"]["status"] == {"S": "Completed"}
    assert found["a"]["output_error"]["M"]["code"] == {"S": "NoSuchBucket"}
    assert found["a"]["output"]["M"]["location"] == {"S": PREFIX + "one.out"}
    assert found["b"]["status"] == {"S": "Failed"}
    assert found["b"]["failure"]["M"]["location"] == {"S": failure_location}


NOTIFICATION_BYTES = 256 * 1024
"""The default MaximumMessageSize of a topic, which can be raised to 1 MiB."""
RESPONSE_BYTES = 128 * 1024
"""The largest response that SageMaker includes in a notification."""
INVOCATION_BYTES = 6 * 1024 * 1024
"""The largest payload of an invocation: Lambda makes batches that fit."""


def largest(inference_id, notification_bytes=NOTIFICATION_BYTES):
    """Return a notification body of this size, with the largest possible response."""
    response = base64.b64encode(b"\xff" * RESPONSE_BYTES).decode()
    notification = completed(
        inference_id, responseBody={"content": response, "encoding": "BASE64"}, padding=""
    )
    padding = "x" * (notification_bytes - len(body(notification)))
    return body(notification | {"padding": padding})


@pytest.mark.parametrize("notification_bytes", [NOTIFICATION_BYTES, 4 * NOTIFICATION_BYTES])
def test_a_batch_of_six_megabytes_of_responses_is_recorded(
    handler, records, context, notification_bytes
):
    """From the notifications alone: S3 has no output."""
    bodies = []
    while (
        len(json.dumps(sqs_event(*bodies, largest("next", notification_bytes)))) <= INVOCATION_BYTES
    ):
        bodies.append(largest(f"id-{len(bodies)}", notification_bytes))
    assert len(bodies) * notification_bytes > 5_000_000
    assert returned_ids(handler(sqs_event(*bodies), context)) == []
    outputs = {name: each["output"]["M"] for name, each in records().items()}
    assert len(outputs) == len(bodies)
    for each in outputs.values():
        assert each["size"] == {"N": str(RESPONSE_BYTES)}
        assert "inline" not in each


def test_every_disposition_is_counted(handler, s3, capsys, context):
    put(s3, b"")
    bodies = [
        body(completed("a")),
        body(failed("b")),
        body(completed("c", "missing.out")),
        body(sample("test-notification")),
        "not json",
        body(outside_the_prefixes()),
    ]
    handler(sqs_event(*bodies), context)
    service = (("service", "record_result"),)
    counts = {
        each.name: each.values
        for each in parse_metrics(capsys.readouterr().out)
        if each.dimensions == service and each.unit == "Count"
    }
    assert counts == {
        "Recorded": (2,),
        "RecordedWithOutputError": (1,),
        "Ignored": (1,),
        "Unprocessable": (1,),
        "MessagesReturned": (1,),
        "FastClientFallbacks": (1,),
    }


def outside_the_prefixes():
    """Return a Completed notification whose output is outside the allowed prefixes."""
    notification = completed("foreign")
    notification["responseParameters"]["outputLocation"] = "s3://foreign/one.out"
    return notification


@pytest.fixture
def read_output(handler, capsys, monkeypatch):
    """Return a function that reads the handler's log, standard output and standard error."""
    stream = io.StringIO()
    log_handler = sys.modules[handler.__module__].logger.registered_handler
    monkeypatch.setattr(log_handler, "stream", stream)

    def read():
        printed = capsys.readouterr()
        return stream.getvalue() + printed.out + printed.err

    return read


def test_no_payload_is_logged(handler, s3, read_output, context):
    put(s3, SECRET.encode())
    request = {"endpointName": "here", "customAttributes": SECRET}
    bodies = [
        body(completed("a", requestParameters=request)),
        body(completed("b", "missing.out", requestParameters=request)),
        body(failed("c", requestParameters=request, responseBody={"content": SECRET})),
        body(completed("d", eventTime=SECRET)),
        SECRET,
    ]
    with patch.object(S3Objects, "read_start", side_effect=ZeroDivisionError(SECRET)):
        handler(sqs_event(*bodies), context)
    handler(sqs_event(*bodies), context)
    output = read_output()
    assert "message returned to the queue" in output
    assert "ZeroDivisionError" in output
    assert '"Recorded":' in output
    assert "secret" not in output
