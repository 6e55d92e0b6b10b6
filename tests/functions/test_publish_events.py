import base64
import json

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from inference_results.adapters.table.results import ResultStore
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.record.order import event_order
from inference_results.domain.record.result import Output, Result
from inference_results.domain.submissions.submission import Submission, as_registration
from tests.emf import measured
from tests.events_on_bus import check_event
from tests.synthesis import synthesised

NOON = "2026-01-25T12:00:00.000Z"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/inferences"


@pytest.fixture
def queue_url(aws):
    """What a rule for all of this service's events tells."""
    events, sqs = boto3.client("events"), boto3.client("sqs")
    events.create_event_bus(Name="inference-events")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"source": ["inference-results"]})
    events.put_rule(Name="all", EventBusName="inference-events", EventPattern=pattern)
    events.put_targets(
        Rule="all", EventBusName="inference-events", Targets=[{"Id": "1", "Arn": arn["QueueArn"]}]
    )
    return url


@pytest.fixture
def told(queue_url):
    """The events that came since it was last asked, as the schema says."""

    def told():
        found = []
        while (
            messages := boto3.client("sqs")
            .receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
            .get("Messages")
        ):
            for message in messages:
                found.append(json.loads(message["Body"]))
                boto3.client("sqs").delete_message(
                    QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        for each in found:
            check_event(each)
        return found

    return told


@pytest.fixture
def handler(load_handler):
    return load_handler("publish_events")


def image(inference_id="a", status="Completed", **more):
    """As the table has it of a result, serialized."""
    outcome = Result(
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
    return ResultStore(None, "inferences", 4).item(outcome)


def submission(inference_id="a"):
    made = Submission(
        inference_id=inference_id,
        endpoint_name="here",
        submitted_at=NOON,
        deadline=NOON,
        recorded_at=NOON,
        expires_at=2_000_000_000,
        output_location="s3://bucket/key",
        caller_metadata={"job": "7"},
    )
    table = SubmissionStore(None, "inferences", 4)
    key = {"inference_id": {"S": inference_id}, "endpoint_name": {"S": "here"}}
    return key | table._item(as_registration(made))


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
    """As Lambda hands it over: JSON, with binary as base64."""
    encoded = json.dumps({"Records": records}, default=lambda each: base64.b64encode(each).decode())
    return json.loads(encoded)


def test_a_change_of_a_status_is_told_to_whom_a_rule_names(handler, told, context):
    batch = event(record(1, submission()), record(2, image(), submission()))
    assert handler(batch, context) == {"batchItemFailures": []}
    submitted, completed = told()
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


def test_a_duplicate_and_a_record_that_goes_are_told_to_nobody(handler, told, context):
    handler(event(record(1, image(), image()), record(2, old=image())), context)
    assert told() == []


def test_the_same_batch_again_has_the_same_ids(handler, told, context):
    batch = event(record(1, image("a")), record(2, image("b", "Failed")))
    ids = []
    for _ in range(2):
        handler(batch, context)
        ids.append([each["detail"]["event_id"] for each in told()])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_custom_attributes_are_told_where_the_setting_says_so(load_handler, told, context):
    batch = event(record(1, image(custom_attributes="mine")))
    load_handler("publish_events")(batch, context)
    allowed = synthesised("default", publish_custom_attributes="true")["InferenceResults"]
    load_handler("publish_events", allowed)(batch, context)
    assert [each["detail"].get("custom_attributes") for each in told()] == [None, "mine"]


@pytest.fixture
def refuse(monkeypatch):
    """Let the bus refuse the events of some inferences, so many times, with a code."""
    left = {}
    call = boto3.client("events").__class__._make_api_call

    def make_api_call(self, operation, params):
        if operation != "PutEvents":
            return call(self, operation, params)
        replies = {}
        taken = []
        for at, entry in enumerate(params["Entries"]):
            inference_id = json.loads(entry["Detail"])["inference_id"]
            code, times = left.get(inference_id, (None, 0))
            if times:
                left[inference_id] = (code, times - 1)
                replies[at] = {"ErrorCode": code, "ErrorMessage": "because"}
            else:
                taken.append((at, entry))
        if taken:
            answer = call(self, operation, {"Entries": [entry for _, entry in taken]})
            replies |= dict(zip((at for at, _ in taken), answer["Entries"], strict=True))
        entries = [replies[at] for at in range(len(params["Entries"]))]
        return {"FailedEntryCount": len(entries) - len(taken), "Entries": entries}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", make_api_call)
    return left.update


@pytest.fixture
def tasks(monkeypatch):
    """What Step Functions was told by token; it refuses those of `errors` with a code."""

    class Told(dict):
        errors = {}

    told = Told()
    call = boto3.client("events").__class__._make_api_call

    def make_api_call(self, operation, params):
        if not operation.startswith("SendTask"):
            return call(self, operation, params)
        token = params.pop("taskToken")
        if code := told.errors.get(token):
            error = {"Error": {"Code": code, "Message": token}}
            raise ClientError(error | {"ResponseMetadata": {"HTTPStatusCode": 400}}, operation)
        told[token] = params
        return {}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", make_api_call)
    return told


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def ids(events):
    return [each["detail"]["inference_id"] for each in events]


@pytest.mark.usefixtures("no_pauses")
def test_what_the_bus_does_not_take_is_offered_again_alone(handler, told, context, refuse):
    refuse({"b": ("ThrottlingException", 2)})
    batch = event(*(record(number, image(each)) for number, each in enumerate("abc")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert ids(told()) == ["a", "c", "b"]


@pytest.mark.usefixtures("no_pauses")
def test_what_is_left_comes_again_from_the_first_of_it_on(
    handler, told, context, refuse, caplog, capsys
):
    refuse({"b": ("InternalFailure", 99), "d": ("InternalFailure", 99)})
    batch = event(*(record(number, image(each)) for number, each in enumerate("abcd", 101)))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "102"}]}
    assert ids(told()) == ["a", "c"]
    (line,) = caplog.records
    assert (line.message, line.first, line.count) == ("will be told again", "102", 2)
    counts = {
        each.name: each.values for each in measured(capsys.readouterr().out) if each.unit == "Count"
    }
    assert counts == {"EventsPublished": (2,), "ChangesReturned": (2,), "EventsRetried": (12,)}


@pytest.mark.usefixtures("no_pauses")
def test_time_is_left_for_an_answer(handler, told, context):
    context.remaining_ms = 9_000
    batch = event(record(7, image("a")))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert told() == []


def test_a_bus_and_tasks_that_never_answer_end_in_time_and_both_are_tried(
    handler, context, monkeypatch
):
    now, asked = [0.0], []

    def silence(self, operation, params):
        asked.append(operation)
        # The third begins at the last moment, and takes as long as a call may.
        now[0] += 7 if asked.count(operation) == 3 else 4.8
        raise ReadTimeoutError(endpoint_url="https://here")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", silence)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    batch = event(record(7, waiting(image("a"), "token")))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert set(asked) == {"PutEvents", "SendTaskSuccess"}
    assert now[0] <= context.remaining_ms / 1000


def test_what_the_bus_refuses_for_good_does_not_hold_up_the_rest(
    handler, told, context, refuse, caplog
):
    refuse({"a": ("MalformedDetail", 99)})
    batch = event(record(1, image("a")), record(2, image("b")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert ids(told()) == ["b"]
    (line,) = caplog.records
    assert (line.levelname, line.detail_type) == ("ERROR", "Inference Completed")
    assert (line.inference_id, line.endpoint) == ("a", "here")


@pytest.mark.parametrize(
    "odd",
    [
        {"inference_id": {"S": "x"}, "endpoint_name": {"S": "here"}},
        image("x") | {"output": {"BS": [b"secret"]}},
        image("x") | {"caller_metadata": {"M": {"job": {"NS": ["1"]}}}},
        image("x") | {"output": {"M": {"inline": {"L": [{"B": b"secret"}, {"NULL": True}]}}}},
        image("x") | {"expires_at": {"N": "1E+125"}},
    ],
    ids=["bare", "binary set", "number set", "list", "no time"],
)
def test_a_malformed_record_leaves_its_neighbours_announced_and_is_not_quoted(
    handler, told, context, odd, caplog
):
    batch = event(record(1, image("a")), record(2, odd), record(3, image("b")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert ids(told()) == ["a", "b"]
    (line,) = caplog.records
    assert (line.message, line.sequence) == ("not announced", "2")
    assert line.reason.endswith(": missing or not in the form that this service writes")


def test_logs_and_metrics_hold_nothing_of_the_record(handler, context, told, caplog, capsys):
    secret = image(custom_attributes="secret", content_type="secret")
    handler(event(record(1, secret)), context)
    assert ids(told()) == ["a"]
    assert "secret" not in caplog.text + capsys.readouterr().out


def test_an_attribute_that_nobody_is_shown_may_hold_anything(handler, context, told):
    handler(event(record(1, image() | {"note": {"BS": [b"1", b"2"]}})), context)
    (announced,) = told()
    assert "note" not in announced["detail"]


def waiting(image, *tokens):
    return image | {"task_tokens": {"SS": list(tokens)}}


def test_tasks_that_wait_are_told_the_end_and_the_bus_is_too(handler, told, context, tasks, capsys):
    one, two = (waiting(submission(each), each) for each in "ab")
    batch = event(
        record(1, one), record(2, waiting(image("a"), "a"), one), record(3, two, submission("b"))
    )
    assert handler(batch, context) == {"batchItemFailures": []}
    submitted, completed = (
        each["detail"] for each in told() if each["detail"]["inference_id"] == "a"
    )
    assert "task_tokens" not in completed
    del completed["previous_status"]
    assert {token: json.loads(each["output"]) for token, each in tasks.items()} == {"a": completed}
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metrics["TasksCompleted"] == [1.0]
    assert not {"TasksGone", "TasksDenied"} & set(metrics)


def test_a_task_that_is_gone_or_not_ours_does_not_come_again(
    handler, told, context, tasks, caplog, capsys
):
    tasks.errors = {"SECRET-a": "TaskTimedOut", "SECRET-b": "AccessDeniedException"}
    batch = event(
        *(record(n, waiting(image(each), f"SECRET-{each}")) for n, each in enumerate("abc"))
    )
    assert handler(batch, context) == {"batchItemFailures": []}
    assert list(tasks) == ["SECRET-c"]
    assert ids(told()) == ["a", "b", "c"]
    (line,) = caplog.records
    assert (line.levelname, line.inference_id, line.endpoint) == ("ERROR", "b", "here")
    printed = capsys.readouterr().out
    metrics = json.loads(printed.splitlines()[-1])
    assert (metrics["TasksGone"], metrics["TasksDenied"]) == ([1.0], [1.0])
    assert "SECRET" not in caplog.text + printed + repr(vars(line))


@pytest.mark.usefixtures("no_pauses")
def test_a_task_that_cannot_be_answered_now_comes_again(
    handler, told, context, tasks, caplog, capsys
):
    tasks.errors = {"SECRET": "ThrottlingException"}
    batch = event(
        record(101, image("a")), record(102, waiting(image("b"), "SECRET")), record(103, image("c"))
    )
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": "102"}]}
    assert ids(told()) == ["a", "b", "c"]
    assert "SECRET" not in caplog.text + capsys.readouterr().out


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("task", "first"), [("a", "101"), ("c", "102")])
def test_the_first_that_is_left_is_named_whichever_it_is(
    handler, context, told, tasks, refuse, task, first
):
    refuse({"b": ("InternalFailure", 99)})
    tasks.errors = {task: "ThrottlingException"}
    batch = event(*(record(n, waiting(image(each), each)) for n, each in enumerate("abc", 101)))
    assert handler(batch, context) == {"batchItemFailures": [{"itemIdentifier": first}]}


def test_malformed_tokens_are_not_quoted_and_hold_up_nobody(
    handler, told, context, tasks, caplog, capsys
):
    odd = image("a") | {"task_tokens": {"L": [{"S": "SECRET"}]}}
    batch = event(record(1, odd), record(2, waiting(image("b"), "b")))
    assert handler(batch, context) == {"batchItemFailures": []}
    assert list(tasks) == ["b"]
    assert ids(told()) == ["a", "b"]
    printed = capsys.readouterr().out
    assert "SECRET" not in caplog.text + printed
    assert [line.message for line in caplog.records] == ["not answered"]
    assert json.loads(printed.splitlines()[-1])["MalformedRecords"] == [1.0]
