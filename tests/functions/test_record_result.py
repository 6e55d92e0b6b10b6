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
from tests.emf import measured
from tests.functions.conftest import BUCKET, Context
from tests.samples import PREFIX, body, completed, failed, sample

SECRET = "tenant=acme-secret"


@pytest.fixture
def handler(load_handler, s3):
    return load_handler("record_result")


@pytest.fixture
def records(table_name):
    """The recorded items by their ids."""

    def read():
        items = boto3.client("dynamodb").scan(TableName=table_name)["Items"]
        return {item["inference_id"]["S"]: item for item in items}

    return read


@pytest.fixture
def parked(unprocessable_queue_url):
    """Bodies and reasons in the unprocessable queue."""

    def read():
        found = boto3.client("sqs").receive_message(
            QueueUrl=unprocessable_queue_url,
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
        )
        return {
            each["Body"]: each["MessageAttributes"]["reason"]["StringValue"]
            for each in found.get("Messages", [])
        }

    return read


def event(*bodies, receive_count=1):
    """What Lambda hands over; each message has its position as its id."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "handle",
                "body": each,
                "attributes": {"ApproximateReceiveCount": str(receive_count)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
                "awsRegion": "us-east-1",
            }
            for number, each in enumerate(bodies)
        ]
    }


def failures(response):
    return sorted(each["itemIdentifier"] for each in response["batchItemFailures"])


def put(s3, content, key="one.out"):
    s3.put_object(Bucket=BUCKET, Key=f"async/{key}", Body=content)


def test_a_batch_of_results_is_recorded(handler, s3, records, context):
    put(s3, b"0.93\n")
    response = handler(event(body(completed("a")), body(failed("b"))), context)
    assert failures(response) == []
    assert records()["a"]["output"]["M"]["inline"] == {"B": b"0.93\n"}
    assert records()["b"]["status"] == {"S": "Failed"}


def test_the_status_decides_and_not_the_queue_that_it_came_through(handler, records, context):
    """Both topics may be one, so a failure may come through either queue."""
    handler(event(body(failed("a"))), context)
    assert records()["a"]["status"] == {"S": "Failed"}


BAD = [
    "not json",
    "[]",
    "x" * 1_000_000,
    body(completed("no id") | {"inferenceId": None}),
    body(completed("wrong type") | {"requestParameters": 7}),
    '{"eventName": "Other"}',
]


def test_what_no_retry_can_help_is_parked_and_its_neighbours_are_recorded(
    handler, s3, records, parked, context
):
    put(s3, b"")
    response = handler(event(body(completed("first")), *BAD, body(completed("last"))), context)
    assert failures(response) == []
    assert set(records()) == {"first", "last"}
    assert parked() == dict(
        zip(
            BAD,
            ["NotJson", "NotJson", "NotJson", "MissingField", "InvalidField", "UnknownEvent"],
            strict=True,
        )
    )


ODD = {
    "a foreign bucket": {"responseParameters": {"outputLocation": "s3://foreign/one.out"}},
    "dots in the key": {"responseParameters": {"outputLocation": f"{PREFIX}../secret.out"}},
    "an output that is gone": {"responseParameters": {"outputLocation": f"{PREFIX}gone.out"}},
    "an empty output": {"responseParameters": {"outputLocation": f"{PREFIX}empty.out"}},
    "a reason of 200 KB": {"invocationStatus": "Failed", "failureReason": "x" * 200 * 1024},
    "a newer version": {"eventVersion": "1.1", "variant": {"name": "blue"}},
    "odd fields": {"receivedTime": 7, "failureReason": {}, "responseParameters": "text"},
    "#/ %?&+:;<=>@[]^`{|}~!\"$'()*,-.\\_ " + "Ab" * 15: {},
}


def test_every_odd_result_is_recorded_with_its_status_and_so_are_its_neighbours(
    handler, s3, records, context
):
    put(s3, b"")
    put(s3, b"", "empty.out")
    bodies = [body(completed(name) | changes) for name, changes in ODD.items()]
    neighbours = [body(completed("first")), *bodies, body(completed("last"))]
    assert failures(handler(event(*neighbours, receive_count=3), context)) == []
    found = records()
    assert set(found) == {"first", *ODD, "last"}
    assert {name: item["status"]["S"] for name, item in found.items() if name in ODD} == {
        name: "Failed" if "reason" in name else "Completed" for name in ODD
    }
    reason = found["a reason of 200 KB"]["failure"]["M"]
    assert (len(reason["reason"]["S"]), reason["reason_truncated"]) == (2048, {"BOOL": True})
    assert found["odd fields"]["ignored_fields"]["L"] == [
        {"S": "responseParameters"},
        {"S": "receivedTime"},
        {"S": "failureReason"},
    ]


def test_an_output_that_is_denied_is_recorded_and_so_are_its_neighbours(
    handler, s3, records, context
):
    put(s3, b"")
    read = S3Objects.read_start

    def denying(self, location, limit):
        if location.key.endswith("denied.out"):
            raise ObjectDenied("AccessDenied", "S3 refuses to hand out the object")
        return read(self, location, limit)

    bodies = [body(completed("denied", "denied.out")), body(completed("fine"))]
    with patch.object(S3Objects, "read_start", denying):
        assert failures(handler(event(*bodies, receive_count=3), context)) == []
    assert records()["denied"]["output_error"]["M"]["code"] == {"S": "AccessDenied"}
    assert "output_error" not in records()["fine"]


def test_an_output_that_is_not_there_yet_is_delivered_again_alone(handler, s3, records, context):
    put(s3, b"")
    response = handler(
        event(body(completed("late", "late.out")), body(completed("ready"))), context
    )
    assert failures(response) == ["message-0"]
    assert set(records()) == {"ready"}


def test_an_output_that_stays_away_is_recorded_with_an_error(handler, records, context):
    response = handler(event(body(completed("gone")), receive_count=3), context)
    assert failures(response) == []
    assert records()["gone"]["output_error"]["M"]["code"] == {"S": "NoSuchKey"}


def test_an_unexpected_error_leaves_the_neighbours_alone(handler, s3, records, context):
    put(s3, b"")
    read = S3Objects.read_start

    def broken(self, location, limit):
        if location.key.endswith("bug.out"):
            raise ZeroDivisionError("payload: " + SECRET)
        return read(self, location, limit)

    with patch.object(S3Objects, "read_start", broken):
        response = handler(
            event(body(completed("bug", "bug.out")), body(completed("fine"))), context
        )
    assert failures(response) == ["message-0"]
    assert set(records()) == {"fine"}


def test_a_batch_in_which_every_message_fails_names_each(handler, context):
    response = handler(event(body(completed("a")), body(completed("b"))), context)
    assert failures(response) == ["message-0", "message-1"]


def test_messages_are_settled_side_by_side(handler, s3, context):
    put(s3, b"")
    everyone = threading.Barrier(10, timeout=5)
    read = S3Objects.read_start

    def meeting(self, location, limit):
        everyone.wait()
        return read(self, location, limit)

    bodies = [body(completed(f"id-{number}")) for number in range(10)]
    with patch.object(S3Objects, "read_start", meeting):
        assert failures(handler(event(*bodies), context)) == []


def test_no_message_is_begun_when_the_time_is_nearly_over(handler, records):
    almost_over = Context(remaining_ms=10_000)
    response = handler(event(body(failed("a")), body(failed("b"))), almost_over)
    assert failures(response) == ["message-0", "message-1"]
    assert records() == {}


def test_messages_beyond_the_time_are_delivered_again_and_the_others_recorded(handler, s3, records):
    put(s3, b"")
    read = S3Objects.read_start

    def slow(self, location, limit):
        time.sleep(0.6)
        return read(self, location, limit)

    bodies = [body(completed(f"id-{number}")) for number in range(20)]
    with patch.object(S3Objects, "read_start", slow):
        response = handler(event(*bodies), Context(remaining_ms=15_300))
    assert len(records()) == 10
    assert len(failures(response)) == 10


def test_a_message_that_takes_too_long_comes_back_alone(handler, s3, records, monkeypatch):
    """Or the function would be killed, and its whole batch come back, over and over."""
    put(s3, b"")
    put(s3, b"", "slow.out")
    monkeypatch.setattr("functions.event_sources.sqs_batch.RESERVE_SECONDS", 1)
    answered = threading.Event()
    read = S3Objects.read_start

    def hanging(self, location, limit):
        if location.key.endswith("slow.out") and answered.wait(timeout=20):
            raise Unavailable("s3", "Silent")
        return read(self, location, limit)

    bodies = [body(completed("slow", "slow.out")), body(completed("a")), body(completed("b"))]
    with patch.object(S3Objects, "read_start", hanging):
        response = handler(event(*bodies), Context(remaining_ms=5_000))
        answered.set()
    assert failures(response) == ["message-0"]
    assert set(records()) == {"a", "b"}


def test_a_batch_that_fails_itself_leaves_its_threads_behind(handler, s3, context):
    """The next one would wait for messages that nobody asks about any more."""
    put(s3, b"")
    goes_on = threading.Event()
    settle = RecordResult.__call__

    def hanging(self, message):
        if message.message_id != "message-0" and goes_on.wait(timeout=20):
            raise Unavailable("s3", "Silent")
        return settle(self, message)

    bodies = [body(completed(f"id-{number}")) for number in range(11)]
    settle_batch = sys.modules[handler.__module__]._settle
    with (
        patch.object(RecordResult, "__call__", hanging),
        patch.object(settle_batch._logger, "debug", side_effect=OSError),
        pytest.raises(UnexpectedError),
    ):
        handler(event(*bodies), context)
    began = time.monotonic()
    assert failures(handler(event(body(completed("next"))), context)) == []
    assert time.monotonic() - began < 10
    goes_on.set()


def test_what_is_settled_after_its_batch_was_answered_for_is_settled_twice_at_most(
    handler, s3, records, parked, context, monkeypatch
):
    """Its thread goes on beside those of the next batch."""
    put(s3, b"0.93\n")
    monkeypatch.setattr("functions.event_sources.sqs_batch.RESERVE_SECONDS", 0)
    goes_on, late = threading.Event(), queue.Queue()
    settle = RecordResult.__call__

    def hanging(self, message):
        goes_on.wait(timeout=20)
        late.put(settle(self, message).disposition)

    batch = event(body(completed("late")), "no json")
    with patch.object(RecordResult, "__call__", hanging):
        response = handler(batch, Context(remaining_ms=2_100))
    assert failures(response) == ["message-0", "message-1"]
    assert failures(handler(batch, context)) == []
    before = records()
    assert parked() == {"no json": "NotJson"}
    goes_on.set()
    assert {late.get(timeout=20) for _ in range(2)} == {"Duplicate", "Unprocessable"}
    assert parked() == {"no json": "NotJson"}
    assert records() == before


def test_what_was_done_before_the_function_was_killed_is_not_done_twice(
    handler, s3, records, capsys, context
):
    """Nobody hears the answer of a killed function, so its whole batch comes again."""
    put(s3, b"0.93\n")
    bodies = [body(completed(f"id-{number}")) for number in range(10)]
    handler(event(*bodies[:5]), context)
    before = records()
    capsys.readouterr()
    assert failures(handler(event(*bodies, receive_count=2), context)) == []
    counts = {each.name: sum(each.values) for each in measured(capsys.readouterr().out)}
    assert (counts["Duplicate"], counts["Recorded"]) == (5, 5)
    after = records()
    assert len(after) == 10
    assert {name: after[name] for name in before} == before


def test_while_the_table_throttles_nothing_is_settled_and_afterwards_everything(
    handler, s3, records, parked, context, monkeypatch
):
    put(s3, b"")
    bodies = [body(completed("a")), body(failed("b")), "not json"]
    answer = BotocoreStubber.process_request

    def throttling(self, request):
        if "DynamoDB" not in str(request.headers.get("X-Amz-Target")):
            return answer(self, request)
        return 400, {}, json.dumps({"__type": "x#ThrottlingException", "message": "slow down"})

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with patch.object(BotocoreStubber, "process_request", throttling):
        assert failures(handler(event(*bodies), context)) == ["message-0", "message-1"]
    assert records() == {}
    assert failures(handler(event(*bodies[:2], receive_count=2), context)) == []
    assert {name: each["status"]["S"] for name, each in records().items()} == {
        "a": "Completed",
        "b": "Failed",
    }
    assert list(parked()) == ["not json"]


def test_results_are_recorded_though_the_bucket_of_their_outputs_was_deleted(
    handler, s3, records, context
):
    s3.delete_bucket(Bucket=BUCKET)
    place = f"{PREFIX}one.err"
    bodies = [body(completed("a")), body(failed("b", failureLocation=place))]
    assert failures(handler(event(*bodies), context)) == ["message-0"]
    assert failures(handler(event(*bodies, receive_count=3), context)) == []
    found = records()
    assert found["a"]["status"] == {"S": "Completed"}
    assert found["a"]["output_error"]["M"]["code"] == {"S": "NoSuchBucket"}
    assert found["a"]["output"]["M"]["location"] == {"S": PREFIX + "one.out"}
    assert found["b"]["status"] == {"S": "Failed"}
    assert found["b"]["failure"]["M"]["location"] == {"S": place}


NOTIFICATION_BYTES = 256 * 1024
"""What a topic takes unless its MaximumMessageSize says otherwise: it may say up to 1 MiB."""
RESPONSE_BYTES = 128 * 1024
"""The largest response that SageMaker includes."""
INVOCATION_BYTES = 6 * 1024 * 1024
"""Of one invocation: Lambda cuts batches, so that they fit."""


def largest(inference_id, notification_bytes=NOTIFICATION_BYTES):
    """A notification that is as large as a topic takes, with a response inside."""
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
    """From the notifications alone: S3 has none of the outputs."""
    bodies = []
    while len(json.dumps(event(*bodies, largest("next", notification_bytes)))) <= INVOCATION_BYTES:
        bodies.append(largest(f"id-{len(bodies)}", notification_bytes))
    assert len(bodies) * notification_bytes > 5_000_000
    assert failures(handler(event(*bodies), context)) == []
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
        body(foreign()),
    ]
    handler(event(*bodies), context)
    service = (("service", "record_result"),)
    counts = {
        each.name: each.values
        for each in measured(capsys.readouterr().out)
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


def foreign():
    """A completed event whose output lies where we may not read."""
    notification = completed("foreign")
    notification["responseParameters"]["outputLocation"] = "s3://foreign/one.out"
    return notification


@pytest.fixture
def logged(handler, capsys, monkeypatch):
    """All that the handler wrote, to the log and to standard output and error."""
    stream = io.StringIO()
    of_log = sys.modules[handler.__module__].logger.registered_handler
    monkeypatch.setattr(of_log, "stream", stream)

    def read():
        printed = capsys.readouterr()
        return stream.getvalue() + printed.out + printed.err

    return read


def test_no_payload_reaches_a_log(handler, s3, logged, context):
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
        handler(event(*bodies), context)
    handler(event(*bodies), context)
    everything = logged()
    assert "will be delivered again" in everything
    assert "ZeroDivisionError" in everything
    assert '"Recorded":' in everything
    assert "secret" not in everything
