"""The commands `dead-letters`, on simulated queues, topics, streams and functions."""

import json

import pytest

from inference_results.contract import StackOutput
from tests.operations.dead_letters.fake_aws import (
    ERROR,
    SUCCESS,
    URLS,
    arn,
    client_error,
    record,
    stream_batch,
)
from tests.support.samples import body, completed, failed

FAST = ("--rate", "1000000")
POISON = "\x1b[31m[bold]not JSON[/bold]"


def lines(result):
    return [line.split("\t") for line in result.stdout.splitlines()]


# list


def test_list_counts_each_queue_once(run, cloud):
    cloud.put("unprocessable", POISON)
    result = run("list")
    assert result.exit_code == 0
    assert lines(result) == [[name, "1" if name == "unprocessable" else "0"] for name in URLS]


def test_channels_with_one_topic_have_their_queues_listed_once(run, cloud):
    same = StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL
    cloud.outputs[StackOutput.FAILED_DEAD_LETTER_QUEUE_URL] = cloud.outputs[same]
    same = StackOutput.COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL
    cloud.outputs[StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL] = cloud.outputs[same]
    names = [name for name, _ in lines(run("list"))]
    assert not {"failed", "failed-subscription"} & set(names)
    assert len(names) == 5


def test_a_stack_without_events_has_no_event_queue(run, cloud):
    del cloud.outputs[StackOutput.EVENT_DEAD_LETTER_QUEUE_URL]
    assert "events" not in run("list").stdout
    result = run("list", "events")
    assert result.exit_code == 2
    assert "has no output EventDeadLetterQueueUrl" in result.stderr


def test_a_listed_message_has_its_inference_and_the_result_of_a_redrive(run, cloud):
    first = cloud.put("failed", body(failed("inference-1")))
    second = cloud.put("failed", POISON)
    endpoint = failed()["requestParameters"]["endpointName"]
    assert lines(run("list", "failed")) == [
        [first, "2026-01-25T12:00:00.000Z", "inference-1", endpoint, "Failed"]
        + ["yes", "would be recorded"],
        [second, "2026-01-25T12:00:00.000Z", "", "", "", "no"]
        + ["would fail again: NotJson: body: expected JSON"],
    ]


def test_an_unprocessable_message_is_listed_with_its_original_error(run, cloud):
    cloud.put("unprocessable", POISON, reason="NotJson", detail="body: expected JSON")
    assert lines(run("list", "unprocessable"))[0][-1].endswith(
        "(original error: NotJson: body: expected JSON)"
    )


def test_an_undelivered_notification_is_listed_with_the_error_of_sns(run, cloud):
    error = {"ErrorCode": "403", "ErrorMessage": "no access to the queue's key"}
    cloud.put("failed-subscription", body(failed()), **error)
    (row,) = lines(run("list", "failed-subscription"))
    assert row[-2:] == ["yes", f"would be recorded (original error: {': '.join(error.values())})"]


def test_a_stream_batch_is_listed_with_the_time_until_which_it_can_be_redriven(run, cloud):
    cloud.put("summaries", stream_batch(100, 104))
    cloud.put("summaries", stream_batch(200, 204, hours_ago=25))
    cloud.put("summaries", "{}")
    recent, expired, malformed = lines(run("list", "summaries"))
    assert recent[5] == "yes"
    assert recent[6].startswith("RetryAttemptsExhausted: can be redriven until 20")
    assert expired[5:] == [
        "no",
        "expired, the stream no longer has the changes: the summaries lack these changes, but the"
        " records are correct: count them with `list`",
    ]
    assert malformed[5:] == ["no", "not a reference to a batch of this table's stream"]


@pytest.mark.parametrize(
    "info",
    [
        {"streamArn": "arn:aws:dynamodb:us-east-1:123456789012:table/other/stream/1"},
        {"startSequenceNumber": "x"},
        {"endSequenceNumber": 7},
        {"shardId": None},
        {"approximateArrivalOfFirstRecord": "2026-01-25T12:00:00"},
        {"batchSize": "many"},
    ],
)
def test_a_malformed_stream_batch_is_neither_read_nor_redriven(run, cloud, info):
    cloud.put("events", stream_batch(1, 2, **info))
    (row,) = lines(run("list", "events"))
    assert row[5:] == ["no", "not a reference to a batch of this table's stream"]
    assert run("redrive", "events", "--all", *FAST).exit_code == 1
    assert not {"get_shard_iterator", "invoke"} & set(cloud.calls)


def test_list_stops_at_the_limit_and_says_so(run, cloud):
    for _ in range(5):
        cloud.put("failed", POISON)
    result = run("list", "failed", "--limit", "3")
    assert len(lines(result)) == 3
    assert "reached the limit of 3 messages" in result.stderr
    assert "limit" not in run("list", "failed", "--limit", "5").stderr


def test_messages_from_several_receive_calls_are_listed_once_each(run, cloud):
    expected = [cloud.put("failed", body(failed())) for _ in range(25)]
    assert [row[0] for row in lines(run("list", "failed"))] == expected


@pytest.mark.parametrize("command", [("list", "failed"), ("show", "failed", "failed-1")])
def test_messages_that_were_read_are_released(run, cloud, command):
    for _ in range(12):
        cloud.put("failed", POISON)
    assert run(*command).exit_code == 0
    assert cloud.hidden("failed") == []


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (client_error("Receive", "Throttling"), 5)]
)
def test_messages_are_released_after_an_error_or_ctrl_c(run, cloud, error, code):
    for _ in range(25):
        cloud.put("failed", POISON)

    def inject_fault(number, operation, when):
        if cloud.calls.count("receive_message") == 2 and operation == "receive_message":
            raise error

    cloud.inject_fault = inject_fault
    assert run("list", "failed").exit_code == code
    assert cloud.hidden("failed") == []


def test_a_list_as_json_holds_no_payload(run, cloud):
    cloud.put("failed", body(failed("inference-1")))
    document = json.loads(run("list", "failed", "--json").stdout)
    assert (document["inference_id"], document["redrivable"]) == ("inference-1", True)
    assert "body" not in document
    assert [json.loads(line) for line in run("list", "--json").stdout.splitlines()][0] == {
        "queue": "completed",
        "messages": 0,
    }


def test_lists_are_tables_on_a_terminal(run, cloud, terminal):
    cloud.put("failed", body(failed("inference-1")))
    assert "inference-1" in run("list", "failed").stdout
    assert "unprocessable" in run("list").stdout
    assert "no messages found" in run("list", "completed").stderr


def test_a_denied_release_is_reported(run, cloud):
    def inject_fault(number, operation, when):
        if operation == "change_message_visibility":
            raise client_error("ChangeMessageVisibility", "AccessDenied", 403)

    cloud.inject_fault = inject_fault
    cloud.put("failed", POISON)
    result = run("list", "failed")
    assert (result.exit_code, result.stderr) == (5, "ChangeMessageVisibility: AccessDenied: no\n")


def test_a_message_that_another_reader_deleted_does_not_stop_the_release_of_the_others(run, cloud):
    for _ in range(3):
        cloud.put("failed", POISON)

    def inject_fault(number, operation, when):
        if operation == "change_message_visibility" and len(cloud.ids("failed")) == 3:
            del cloud.queues[URLS["failed"]][0]

    cloud.inject_fault = inject_fault
    assert run("list", "failed").exit_code == 0
    assert cloud.hidden("failed") == []


# show


def test_show_prints_the_whole_message_and_its_error(run, cloud):
    message = cloud.put("unprocessable", POISON, reason="NotJson", source_queue_arn=arn("failed"))
    result = run("show", "unprocessable", message)
    shown = dict(lines(result))
    assert shown["body"] == r"\x1b[31m[bold]not JSON[/bold]"
    assert shown["attributes.source_queue_arn"] == arn("failed")
    assert shown["why"].startswith("would fail again: NotJson: body")
    document = json.loads(run("show", "unprocessable", message, "--json").stdout)
    assert document["body"] == POISON


@pytest.mark.parametrize("text", [POISON, json.dumps({"a": POISON}), "[" * 100_000])
def test_no_text_of_a_message_steers_the_terminal(run, cloud, terminal, text):
    message = cloud.put("unprocessable", text, reason=POISON, **{"\x1b[1m": "name"})
    for words in (("show", "unprocessable", message), ("list", "unprocessable")):
        result = run(*words)
        assert result.exit_code == 0
        for code in ("[31m", "[1mname"):
            assert f"\x1b{code}" not in result.stdout
        if words[0] == "list":
            assert "[bold]not JSON[/bold]" in result.stdout


def test_an_unknown_message_id_exits_with_3(run, cloud):
    cloud.put("failed", POISON)
    for words in (
        ("show", "failed", "another"),
        ("redrive", "failed", "another"),
        ("delete", "failed", "another", "--yes"),
    ):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "not found in the queue: another" in result.stderr


# redrive


@pytest.mark.parametrize(
    ("queue", "topic"),
    [
        ("completed", SUCCESS),
        ("failed", ERROR),
        ("completed-subscription", SUCCESS),
        ("failed-subscription", ERROR),
    ],
)
def test_a_notification_is_published_to_its_original_topic(run, cloud, queue, topic):
    text = body(completed())
    message = cloud.put(queue, text)
    result = run("redrive", queue, "--all", *FAST)
    assert (result.exit_code, lines(result)) == (0, [[message, "redriven", ""]])
    assert (cloud.published, cloud.ids(queue)) == ([(topic, text)], [])
    assert result.stderr == "redriven 1, kept 0\n"


def test_an_unprocessable_message_goes_to_the_topic_of_its_source_queue(run, cloud):
    for source in ("completed", "failed", "another"):
        cloud.put("unprocessable", body(failed(source)), source_queue_arn=arn(source))
    result = run("redrive", "unprocessable", "--all", *FAST)
    assert [topic for topic, _ in cloud.published] == [SUCCESS, ERROR]
    assert result.exit_code == 1
    assert lines(result)[2][1:] == [
        "kept",
        "unknown topic: source_queue_arn does not name a queue of this stack",
    ]


def test_a_message_that_would_fail_again_is_kept_with_the_reason(run, cloud):
    poison = cloud.put("failed", POISON)
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert result.exit_code == 1
    assert lines(result)[0] == [poison, "kept", "would fail again: NotJson: body: expected JSON"]
    assert (cloud.ids("failed"), cloud.hidden("failed")) == ([poison], [])
    assert result.stderr == "redriven 1, kept 1\n"


def test_only_the_named_messages_are_redriven(run, cloud):
    _, second, third = (cloud.put("failed", body(failed(f"{n}"))) for n in range(3))
    assert run("redrive", "failed", second, third, *FAST).exit_code == 0
    assert len(cloud.published) == 2
    assert cloud.ids("failed") == ["failed-0"]


def test_an_sns_envelope_is_removed(run, cloud):
    text = body(failed())
    envelope = json.dumps({"Type": "Notification", "MessageId": "1", "Message": text})
    cloud.put("failed-subscription", envelope)
    assert run("redrive", "failed-subscription", "--all", *FAST).exit_code == 0
    assert cloud.published == [(ERROR, text)]


def test_a_message_that_sns_rejects_is_kept_and_the_others_are_redriven(run, cloud):
    cloud.put("failed", body(failed(padding="x" * 300_000)))
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert result.exit_code == 1
    assert lines(result)[0][1:] == ["kept", "SNS rejects the message: InvalidParameter"]
    assert cloud.ids("failed") == ["failed-0"]


def test_redrive_stops_at_the_limit_and_says_so(run, cloud):
    for number in range(5):
        cloud.put("failed", body(failed(f"{number}")))
    result = run("redrive", "failed", "--all", "--limit", "3", *FAST)
    assert (result.exit_code, len(cloud.published)) == (1, 3)
    assert "reached the limit of 3 messages: the queue has more" in result.stderr
    assert cloud.hidden("failed") == []
    assert run("redrive", "failed", "--all", "--limit", "2", *FAST).exit_code == 0


def test_kept_messages_stay_hidden_until_the_redrive_ends(run, cloud):
    run("redrive", "failed", "--all", "--limit", "1000", "--rate", "10")
    run("redrive", "failed", "--all", "--limit", "1000", "--rate", "0.01")
    assert cloud.visibility_timeouts == {160, 43_200}


def test_a_denied_publish_deletes_nothing_and_prints_the_totals(run, cloud):
    def inject_fault(number, operation, when):
        if operation == "publish":
            raise client_error("Publish", "AccessDenied", 403)

    cloud.inject_fault = inject_fault
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert result.exit_code == 5
    assert result.stderr == "stopped: redriven 0, kept 0\nPublish: AccessDenied: no\n"
    assert (cloud.ids("failed"), cloud.hidden("failed")) == (["failed-0"], [])


@pytest.mark.parametrize(
    "words",
    [
        ("redrive", "failed"),
        ("redrive", "failed", "one", "--all"),
        ("delete", "failed", "--yes"),
        ("list", "others"),
        ("redrive", "failed", "--all", "--rate", "0"),
        ("redrive", "failed", "--all", "--limit", "0"),
    ],
)
def test_invalid_usage_is_rejected_before_aws_is_called(run, cloud, words):
    result = run(*words)
    assert (result.exit_code, result.stdout, cloud.calls) == (2, "", [])


def test_a_terminal_shows_only_the_kept_messages(run, cloud, terminal):
    poison = cloud.put("failed", POISON)
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert [row[0] for row in lines(result)] == [poison]


# redrive stream batches


def test_a_redriven_batch_is_counted_under_its_own_shard_id_and_without_deletions(run, cloud):
    cloud.records = [record(n, "REMOVE" if n == 103 else "MODIFY") for n in range(98, 110)]
    cloud.put("summaries", stream_batch(100, 106))
    assert run("redrive", "summaries", "--all", *FAST).exit_code == 0
    ((name, event),) = cloud.invoked
    sequence_numbers = [each["dynamodb"]["SequenceNumber"] for each in event["Records"]]
    assert sequence_numbers == ["100", "101", "102", "104", "105", "106"]
    shard = json.loads(stream_batch(1, 1))["DDBStreamBatchInfo"]["shardId"]
    assert (name, event["redrivenFrom"]) == ("summarize", shard)
    assert event["shardId"] == f"{shard}-redriven-100"
    assert cloud.ids("summaries") == []


def test_changes_are_passed_in_the_format_of_lambda(run, cloud):
    image = {
        "output": {"M": {"inline": {"B": b"\xff\x00"}, "size": {"N": "2"}}},
        "many": {"BS": [b"a", b"b"]},
    }
    cloud.records = [record(100, "INSERT", **image)]
    cloud.put("events", stream_batch(100, 100))
    assert run("redrive", "events", "--all", *FAST).exit_code == 0
    ((name, event),) = cloud.invoked
    (change,) = event["Records"]
    assert (name, event.keys()) == ("publish_events", {"Records"})
    assert change["eventSourceARN"].endswith("/stream/2026-01-01T00:00:00.000")
    assert change["dynamodb"]["ApproximateCreationDateTime"] == 1_769_342_400
    assert change["dynamodb"]["NewImage"] == {
        "output": {"M": {"inline": {"B": "/wA="}, "size": {"N": "2"}}},
        "many": {"BS": ["YQ==", "Yg=="]},
    }


def test_no_invocation_exceeds_the_limit_of_lambda(run, cloud):
    """The fake rejects 6 MB."""
    cloud.records = [record(n, text={"S": "x" * 390_000}) for n in range(100, 130)]
    cloud.put("summaries", stream_batch(100, 129))
    assert run("redrive", "summaries", "--all", *FAST).exit_code == 0
    assert sum(len(event["Records"]) for _, event in cloud.invoked) == 30
    cloud.invoked.clear()
    cloud.records = [record(n) for n in range(100, 350)]
    cloud.put("summaries", stream_batch(100, 349))
    assert run("redrive", "summaries", "--all", *FAST).exit_code == 0
    assert [len(event["Records"]) for _, event in cloud.invoked] == [100, 100, 50]


def test_a_batch_that_the_stream_no_longer_has_is_kept(run, cloud):
    cloud.trimmed = True
    message = cloud.put("events", stream_batch(100, 104, hours_ago=23))
    result = run("redrive", "events", "--all", *FAST)
    assert result.exit_code == 1
    ((found, outcome, reason),) = lines(result)
    assert (found, outcome) == (message, "kept")
    assert reason.startswith(
        "expired, the stream no longer has the changes: no event was published"
    )
    assert cloud.invoked == []


def test_redrive_does_not_wait_for_changes_beyond_the_end_of_the_stream(run, cloud):
    cloud.records = [record(n) for n in range(100, 103)]
    cloud.put("summaries", stream_batch(100, 104))
    result = run("redrive", "summaries", "--all", *FAST)
    assert lines(result)[0][2] == "the stream ends before the last change of the batch"
    assert (result.exit_code, cloud.invoked) == (1, [])


def test_a_failed_function_keeps_the_batch_and_its_message_is_not_printed(run, cloud):
    cloud.function_error = True
    cloud.respond = lambda event: {"errorType": "Unavailable", "errorMessage": "payload"}
    cloud.records = [record(100)]
    cloud.put("summaries", stream_batch(100, 100))
    result = run("redrive", "summaries", "--all", *FAST)
    assert (result.exit_code, cloud.ids("summaries")) == (1, ["summaries-0"])
    assert lines(result)[0][2] == "the function failed: Unavailable; see its log"


def publishing(accepted_per_call):
    """Accept so many changes of a call, and report the first of the others as failed."""

    def respond(event):
        rejected = event["Records"][accepted_per_call() :]
        failures = [{"itemIdentifier": each["dynamodb"]["SequenceNumber"]} for each in rejected[:1]]
        return {"batchItemFailures": failures}

    return respond


def test_publishing_continues_from_the_first_event_that_the_bus_rejected(run, cloud, monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    cloud.respond = publishing(lambda: 2)
    cloud.records = [record(n) for n in range(100, 105)]
    cloud.put("events", stream_batch(100, 104))
    assert run("redrive", "events", "--all", *FAST).exit_code == 0
    firsts = [event["Records"][0]["dynamodb"]["SequenceNumber"] for _, event in cloud.invoked]
    assert firsts == ["100", "102", "104"]
    assert [each for each in pauses if each >= 1] == [5, 5]


def test_a_batch_is_kept_when_the_bus_accepts_nothing(run, cloud, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    cloud.respond = publishing(lambda: 0)
    cloud.records = [record(n) for n in range(100, 105)]
    cloud.put("events", stream_batch(100, 104))
    result = run("redrive", "events", "--all", *FAST)
    assert (result.exit_code, len(cloud.invoked)) == (1, 3)
    assert lines(result)[0][2].startswith("the event bus did not accept 5 changes")
    assert cloud.ids("events") == ["events-0"]


# delete


def test_delete_asks_for_confirmation(run, cloud, terminal):
    cloud.put("failed", POISON)
    for typed in ("n\n", "\n"):
        result = run("delete", "failed", "--all", input=typed)
        assert result.exit_code == 1
        assert "Permanently delete 1 message(s) of failed?" in result.stderr
    assert cloud.ids("failed") == ["failed-0"]
    assert run("delete", "failed", "--all", input="y\n").exit_code == 0
    assert cloud.ids("failed") == []


def test_delete_requires_yes_without_a_terminal(run, cloud):
    cloud.put("failed", POISON)
    result = run("delete", "failed", "--all")
    assert (result.exit_code, cloud.ids("failed")) == (2, ["failed-0"])
    assert "--yes" in result.stderr


def test_deleted_messages_are_saved_to_a_file_that_only_its_owner_can_read(run, cloud, tmp_path):
    file = tmp_path / "saved.jsonl"
    first = cloud.put("unprocessable", POISON, reason="NotJson")
    second = cloud.put("unprocessable", body(failed()))
    for message in (first, second):
        result = run("delete", "unprocessable", message, "--yes", "--save", str(file))
        assert (result.exit_code, lines(result)) == (0, [[message, "2026-01-25T12:00:00.000Z"]])
    assert cloud.ids("unprocessable") == []
    documents = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each["body"] for each in documents] == [POISON, body(failed())]
    assert documents[0]["attributes"] == {"reason": "NotJson"}
    assert (documents[0]["queue"], file.stat().st_mode & 0o077) == ("unprocessable", 0)


def test_no_message_is_deleted_when_the_file_cannot_be_written(run, cloud, tmp_path):
    cloud.put("failed", POISON)
    path = tmp_path / "no folder" / "saved"
    result = run("delete", "failed", "--all", "--yes", "--save", str(path))
    assert (result.exit_code, cloud.ids("failed")) == (5, ["failed-0"])
