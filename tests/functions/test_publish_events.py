import base64
import json

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from inference_results.adapters.table.items import to_item
from inference_results.adapters.table.record_attributes import record_key
from inference_results.adapters.table.results import ResultStore
from inference_results.adapters.table.submission_items import submission_attributes
from inference_results.domain.record.order import event_order
from inference_results.domain.record.result import Output, Result
from inference_results.domain.submissions.submission import Submission, as_registration
from tests.support.emf import parse_metrics
from tests.support.events_on_bus import check_event
from tests.support.synthesis import synthesised

NOON = "2026-01-25T12:00:00.000Z"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/inferences"


@pytest.fixture
def queue_url(aws):
    """Create the bus, and a queue that receives all events of this service."""
    events, sqs = boto3.client("events"), boto3.client("sqs")
    events.create_event_bus(Name="inference-events")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"source": ["inference-results"]})
    events.put_rule(Name="all", EventBusName="inference-events", EventPattern=pattern)
    events.put_targets(
        Rule="all", EventBusName="inference-events", Targets=[{"Id": "1", "Arn": arn["QueueArn"]}]
    )
    return url


@pytest.fixture
def receive_events(queue_url):
    """Return a function that receives the events since its last call and validates them."""

    def receive_events():
        events = []
        while (
            messages := boto3.client("sqs")
            .receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
            .get("Messages")
        ):
            for message in messages:
                events.append(json.loads(message["Body"]))
                boto3.client("sqs").delete_message(
                    QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        for each in events:
            check_event(each)
        return events

    return receive_events


@pytest.fixture
def handler(load_handler):
    return load_handler("publish_events")


def image(inference_id="a", status="Completed", **more):
    """Return the record of a result as a DynamoDB item."""
    result = Result(
        inference_id=inference_id,
        endpoint_name="here",
        status=status,
        event_time=NOON,
        event_order=event_order(event_time=NOON, status=status, location=None, digest=""),
        recorded_at=NOON,
        expires_at=2_000_000_000,
        output=Output(location="s3://bucket/key", size=2, inline=b"\xff\x00"),
        ignored_fields=("one",),
        **more,
    )
    return ResultStore(None, "inferences", 4).item(result)


def submission(inference_id="a"):
    submitted = Submission(
        inference_id=inference_id,
        endpoint_name="here",
        submitted_at=NOON,
        deadline=NOON,
        recorded_at=NOON,
        expires_at=2_000_000_000,
        output_location="s3://bucket/key",
        caller_metadata={"job": "7"},
    )
    attributes = submission_attributes(as_registration(submitted), shards=4)
    return to_item(record_key(inference_id, "here") | attributes)


def record(sequence, new=None, old=None):
    images = {"NewImage": new, "OldImage": old}
    return {
        "eventID": "id",
        "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": f"{TABLE}/stream/2026-01-25T00:00:00.000",
        "dynamodb": {
            "SequenceNumber": str(sequence),
            "ApproximateCreationDateTime": 1_769_342_400,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: each for name, each in images.items() if each},
        },
    }


def event(*records):
    """Return a stream event as Lambda sends it: JSON, with binary values in base64."""
    encoded = json.dumps({"Records": records}, default=lambda each: base64.b64encode(each).decode())
    return json.loads(encoded)


def test_a_change_of_status_is_published(handler, receive_events, context):
    batch = event(record(1, submission()), record(2, image(), submission()))
    assert handler(batch, context) == {"batchItemFailures": []}
    submitted, completed = receive_events()
    assert submitted["detail-type"] == "Inference Submitted"
    assert submitted["detail"]["caller_metadata"] == {"job": "7"}
    assert completed["detail-type"] == "Inference Completed"
    assert completed["resources"] == [TABLE]
    assert completed["detail"]["previous_status"] == "InProgress"
    assert completed["detail"]["output"] == {
        "location": "s3://bucket/key",
        "size": 2,
        "inline": {"encoding": "base64", "content": "/wA="},
    }


def test_unchanged_and_deleted_records_publish_nothing(handler, receive_events, context):
    handler(event(record(1, image(), image()), record(2, old=image())), context)
    assert receive_events() == []


def test_a_redelivered_batch_publishes_the_same_event_ids(handler, receive_events, context):
    batch = event(record(1, image("a")), record(2, image("b", "Failed")))
    event_ids = []
    for _ in range(2):
        handler(batch, context)
        event_ids.append([each["detail"]["event_id"] for each in receive_events()])
    assert event_ids[0] == event_ids[1]
    assert len(set(event_ids[0])) == 2


def test_custom_attributes_are_published_only_if_the_setting_is_on(
    load_handler, receive_events, context
):
    batch = event(record(1, image(custom_attributes="mine")))
    load_handler("publish_events")(batch, context)
    allowed = synthesised("default", publish_custom_attributes="true")["InferenceResults"]
    load_handler("publish_events", allowed)(batch, context)
    assert [each["detail"].get("custom_attributes") for each in receive_events()] == [None, "mine"]


@pytest.fixture
def fail_events(monkeypatch):
    """Make the bus fail events: takes an error code and a number of times by inference id."""
    failures = {}
    call = boto3.client("events").__class__._make_api_call

    def make_api_call(self, operation, params):
        if operation != "PutEvents":
            return call(self, operation, params)
        results = {}
        accepted = []
        for index, entry in enumerate(params["Entries"]):
            inference_id = json.loads(entry["Detail"])["inference_id"]
            code, times = failures.get(inference_id, (None, 0))
            if times:
                failures[inference_id] = (code, times - 1)
                results[index] = {"ErrorCode": code, "ErrorMessage": "because"}
            else:
                accepted.append((index, entry))
        if accepted:
            response = call(self, operation, {"Entries": [entry for _, entry in accepted]})
            indexes = (index for index, _ in accepted)
            results |= dict(zip(indexes, response["Entries"], strict=True))
        entries = [results[index] for index in range(len(params["Entries"]))]
        return {"FailedEntryCount": len(entries) - len(accepted), "Entries": entries}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", make_api_call)
    return failures.update


@pytest.fixture
def tasks(monkeypatch):
    """Return completed tasks by token. Tokens in its `errors` fail with an error code."""

    class Tasks(dict):
        errors = {}

    tasks = Tasks()
    call = boto3.client("events").__class__._make_api_call

    def make_api_call(self, operation, params):
        if not operation.startswith("SendTask"):
            return call(self, operation, params)
        token = params.pop("taskToken")
        if code := tasks.errors.get(token):
            error = {"Error": {"Code": code, "Message": token}}
            raise ClientError(error | {"ResponseMetadata": {"HTTPStatusCode": 400}}, operation)
        tasks[token] = params
        return {}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", make_api_call)
    return tasks


@pytest.fixture
def no_sleep(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def inference_ids(events):
    return [each["detail"]["inference_id"] for each in events]


@pytest.mark.usefixtures("no_sleep")
def test_only_failed_events_are_published_again(handler, receive_events, context, fail_events):
    fail_events({"b": ("ThrottlingException", 2)})
    batch = event(*(record(number, image(each)) for number, each in enumerate("abc")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert inference_ids(receive_events()) == ["a", "c", "b"]


@pytest.mark.usefixtures("no_sleep")
def test_the_first_unpublished_change_is_returned_to_the_stream(
    handler, receive_events, context, fail_events, caplog, capsys
):
    fail_events({"b": ("InternalFailure", 99), "d": ("InternalFailure", 99)})
    batch = event(*(record(number, image(each)) for number, each in enumerate("abcd", 101)))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "102"}]}
    assert inference_ids(receive_events()) == ["a", "c"]
    (line,) = caplog.records
    assert (line.message, line.first, line.count) == ("events returned to the stream", "102", 2)
    metrics = parse_metrics(capsys.readouterr().out)
    counts = {each.name: each.values for each in metrics if each.unit == "Count"}
    assert counts == {"EventsPublished": (2,), "ChangesReturned": (2,), "EventsRetried": (12,)}


@pytest.mark.usefixtures("no_sleep")
def test_nothing_is_published_when_too_little_time_remains(handler, receive_events, context):
    context.remaining_ms = 9_000
    batch = event(record(7, image("a")))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert receive_events() == []


def test_events_and_tasks_are_both_tried_in_time_when_every_call_times_out(
    handler, context, monkeypatch
):
    now, operations = [0.0], []

    def time_out(self, operation, params):
        operations.append(operation)
        # The third call starts as late as possible and takes as long as a call can take.
        now[0] += 7 if operations.count(operation) == 3 else 4.8
        raise ReadTimeoutError(endpoint_url="https://here")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", time_out)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    batch = event(record(7, with_tasks(image("a"), "token")))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert set(operations) == {"PutEvents", "SendTaskSuccess"}
    assert now[0] <= context.remaining_ms / 1000


def test_a_rejected_event_does_not_affect_its_neighbours(
    handler, receive_events, context, fail_events, caplog
):
    fail_events({"a": ("MalformedDetail", 99)})
    batch = event(record(1, image("a")), record(2, image("b")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert inference_ids(receive_events()) == ["b"]
    (line,) = caplog.records
    assert (line.levelname, line.detail_type) == ("ERROR", "Inference Completed")
    assert (line.inference_id, line.endpoint) == ("a", "here")


@pytest.mark.parametrize(
    "malformed",
    [
        {"inference_id": {"S": "x"}, "endpoint_name": {"S": "here"}},
        image("x") | {"output": {"BS": [b"secret"]}},
        image("x") | {"caller_metadata": {"M": {"job": {"NS": ["1"]}}}},
        image("x") | {"output": {"M": {"inline": {"L": [{"B": b"secret"}, {"NULL": True}]}}}},
        image("x") | {"expires_at": {"N": "1E+125"}},
    ],
    ids=["only keys", "binary set", "number set", "list", "invalid time"],
)
def test_a_malformed_record_does_not_affect_its_neighbours_and_is_not_logged(
    handler, receive_events, context, malformed, caplog
):
    batch = event(record(1, image("a")), record(2, malformed), record(3, image("b")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert inference_ids(receive_events()) == ["a", "b"]
    (line,) = caplog.records
    assert (line.message, line.sequence) == ("event not published", "2")
    assert line.reason.endswith(": missing or not in the form that this service writes")


def test_logs_and_metrics_have_no_content_of_the_record(
    handler, context, receive_events, caplog, capsys
):
    secret = image(custom_attributes="secret", content_type="secret")
    handler(event(record(1, secret)), context)
    assert inference_ids(receive_events()) == ["a"]
    assert "secret" not in caplog.text + capsys.readouterr().out


def test_an_unpublished_attribute_can_have_any_type(handler, context, receive_events):
    handler(event(record(1, image() | {"note": {"BS": [b"1", b"2"]}})), context)
    (published,) = receive_events()
    assert "note" not in published["detail"]


def with_tasks(image, *tokens):
    return image | {"task_tokens": {"SS": list(tokens)}}


def test_an_ended_inference_completes_its_tasks_and_is_published(
    handler, receive_events, context, tasks, capsys
):
    a, b = (with_tasks(submission(each), each) for each in "ab")
    batch = event(
        record(1, a), record(2, with_tasks(image("a"), "a"), a), record(3, b, submission("b"))
    )
    assert handler(batch, context) == {"batchItemFailures": []}
    submitted, completed = (
        each["detail"] for each in receive_events() if each["detail"]["inference_id"] == "a"
    )
    assert "task_tokens" not in completed
    del completed["previous_status"]
    assert {token: json.loads(each["output"]) for token, each in tasks.items()} == {"a": completed}
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metrics["TasksCompleted"] == [1.0]
    assert not {"TasksGone", "TasksDenied"} & set(metrics)


def test_a_task_that_is_gone_or_denied_is_not_retried(
    handler, receive_events, context, tasks, caplog, capsys
):
    tasks.errors = {"SECRET-a": "TaskTimedOut", "SECRET-b": "AccessDeniedException"}
    batch = event(
        *(record(n, with_tasks(image(each), f"SECRET-{each}")) for n, each in enumerate("abc"))
    )
    assert handler(batch, context) == {"batchItemFailures": []}
    assert list(tasks) == ["SECRET-c"]
    assert inference_ids(receive_events()) == ["a", "b", "c"]
    (line,) = caplog.records
    assert (line.levelname, line.inference_id, line.endpoint) == ("ERROR", "b", "here")
    printed = capsys.readouterr().out
    metrics = json.loads(printed.splitlines()[-1])
    assert (metrics["TasksGone"], metrics["TasksDenied"]) == ([1.0], [1.0])
    assert "SECRET" not in caplog.text + printed + repr(vars(line))


@pytest.mark.usefixtures("no_sleep")
def test_a_throttled_task_is_returned_to_the_stream(
    handler, receive_events, context, tasks, caplog, capsys
):
    tasks.errors = {"SECRET": "ThrottlingException"}
    batch = event(
        record(101, image("a")),
        record(102, with_tasks(image("b"), "SECRET")),
        record(103, image("c")),
    )
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "102"}]}
    assert inference_ids(receive_events()) == ["a", "b", "c"]
    assert "SECRET" not in caplog.text + capsys.readouterr().out


@pytest.mark.usefixtures("no_sleep")
@pytest.mark.parametrize(("task", "first"), [("a", "101"), ("c", "102")])
def test_the_first_failed_change_is_returned_whether_its_event_or_its_task_failed(
    handler, context, receive_events, tasks, fail_events, task, first
):
    fail_events({"b": ("InternalFailure", 99)})
    tasks.errors = {task: "ThrottlingException"}
    batch = event(*(record(n, with_tasks(image(each), each)) for n, each in enumerate("abc", 101)))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": first}]}


def test_malformed_task_tokens_do_not_affect_other_tasks_and_are_not_logged(
    handler, receive_events, context, tasks, caplog, capsys
):
    malformed = image("a") | {"task_tokens": {"L": [{"S": "SECRET"}]}}
    batch = event(record(1, malformed), record(2, with_tasks(image("b"), "b")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert list(tasks) == ["b"]
    assert inference_ids(receive_events()) == ["a", "b"]
    printed = capsys.readouterr().out
    assert "SECRET" not in caplog.text + printed
    assert [line.message for line in caplog.records] == ["task not completed"]
    assert json.loads(printed.splitlines()[-1])["MalformedRecords"] == [1.0]
