"""The commands `dead-letters` on queues, topics, a stream and functions in process."""

import json

import pytest

from inference_results.contract import StackOutput
from tests.operations.dead_letters.fake_aws import (
    ERROR,
    SUCCESS,
    URLS,
    arn,
    given_up,
    record,
    refusal,
)
from tests.samples import body, completed, failed

FAST = ("--rate", "1000000")
POISON = "\x1b[31m[bold]not JSON[/bold]"


def lines(result):
    return [line.split("\t") for line in result.stdout.splitlines()]


# list


def test_every_queue_is_counted_once(run, cloud):
    cloud.put("unprocessable", POISON)
    result = run("list")
    assert result.exit_code == 0
    assert lines(result) == [[name, "1" if name == "unprocessable" else "0"] for name in URLS]


def test_channels_that_are_one_have_their_queues_listed_once(run, cloud):
    """One existing topic for both."""
    same = StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL
    cloud.outputs[StackOutput.FAILED_DEAD_LETTER_QUEUE_URL] = cloud.outputs[same]
    same = StackOutput.COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL
    cloud.outputs[StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL] = cloud.outputs[same]
    names = [name for name, _ in lines(run("list"))]
    assert not {"failed", "failed-subscription"} & set(names)
    assert len(names) == 5


def test_a_stack_without_announcements_has_no_queue_of_them(run, cloud):
    del cloud.outputs[StackOutput.EVENT_DEAD_LETTER_QUEUE_URL]
    assert "events" not in run("list").stdout
    result = run("list", "events")
    assert result.exit_code == 2
    assert "has no output EventDeadLetterQueueUrl" in result.stderr


def test_a_message_is_listed_with_what_it_tells_and_what_would_become_of_it(run, cloud):
    first = cloud.put("failed", body(failed("inference-1")))
    second = cloud.put("failed", POISON)
    endpoint = failed()["requestParameters"]["endpointName"]
    assert lines(run("list", "failed")) == [
        [first, "2026-01-25T12:00:00.000Z", "inference-1", endpoint, "Failed"]
        + ["yes", "would be recorded"],
        [second, "2026-01-25T12:00:00.000Z", "", "", "", "no"]
        + ["would fail again: NotJson: body: expected JSON"],
    ]


def test_what_was_parked_is_listed_with_the_reason_that_it_came_with(run, cloud):
    cloud.put("unprocessable", POISON, reason="NotJson", detail="body: expected JSON")
    assert lines(run("list", "unprocessable"))[0][-1].endswith(
        "(it came with NotJson: body: expected JSON)"
    )


def test_what_sns_could_not_deliver_is_listed_with_its_error(run, cloud):
    why = {"ErrorCode": "403", "ErrorMessage": "no access to the queue's key"}
    cloud.put("failed-subscription", body(failed()), **why)
    (row,) = lines(run("list", "failed-subscription"))
    assert row[-2:] == ["yes", f"would be recorded (it came with {': '.join(why.values())})"]


def test_parts_of_the_stream_are_listed_with_the_time_that_is_left(run, cloud):
    cloud.put("summaries", given_up(100, 104))
    cloud.put("summaries", given_up(200, 204, hours_ago=25))
    cloud.put("summaries", "{}")
    young, old, odd = lines(run("list", "summaries"))
    assert young[5] == "yes"
    assert young[6].startswith("RetryAttemptsExhausted: can be redriven until 20")
    assert old[5:] == [
        "no",
        "past repair, the stream no longer has it: the summaries of its days lack it; the records"
        " are right: count with `list`",
    ]
    assert odd[5:] == ["no", "it names no part of this table's stream"]


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
def test_what_lambda_does_not_write_is_no_part_of_the_stream(run, cloud, info):
    cloud.put("events", given_up(1, 2, **info))
    (row,) = lines(run("list", "events"))
    assert row[5:] == ["no", "it names no part of this table's stream"]
    assert run("redrive", "events", "--all", *FAST).exit_code == 1
    assert not {"get_shard_iterator", "invoke"} & set(cloud.calls)


def test_a_list_is_bounded_and_says_so(run, cloud):
    for _ in range(5):
        cloud.put("failed", POISON)
    result = run("list", "failed", "--limit", "3")
    assert len(lines(result)) == 3
    assert "the limit of 3 is reached" in result.stderr
    assert "limit" not in run("list", "failed", "--limit", "5").stderr


def test_more_messages_than_one_call_gives_are_listed_once_each(run, cloud):
    expected = [cloud.put("failed", body(failed())) for _ in range(25)]
    assert [row[0] for row in lines(run("list", "failed"))] == expected


@pytest.mark.parametrize("command", [("list", "failed"), ("show", "failed", "failed-1")])
def test_what_was_looked_at_is_given_back(run, cloud, command):
    for _ in range(12):
        cloud.put("failed", POISON)
    assert run(*command).exit_code == 0
    assert cloud.hidden("failed") == []


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (refusal("Receive", "Throttling"), 5)]
)
def test_what_was_looked_at_is_given_back_also_where_it_ends_early(run, cloud, error, code):
    for _ in range(25):
        cloud.put("failed", POISON)

    def trouble(number, operation, when):
        if cloud.calls.count("receive_message") == 2 and operation == "receive_message":
            raise error

    cloud.trouble = trouble
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


def test_on_a_terminal_lists_are_tables(run, cloud, terminal):
    cloud.put("failed", body(failed("inference-1")))
    assert "inference-1" in run("list", "failed").stdout
    assert "unprocessable" in run("list").stdout
    assert "no messages found" in run("list", "completed").stderr


def test_who_may_not_give_back_is_told_so(run, cloud):
    def trouble(number, operation, when):
        if operation == "change_message_visibility":
            raise refusal("ChangeMessageVisibility", "AccessDenied", 403)

    cloud.trouble = trouble
    cloud.put("failed", POISON)
    result = run("list", "failed")
    assert (result.exit_code, result.stderr) == (5, "ChangeMessageVisibility: AccessDenied: no\n")


def test_one_that_somebody_else_has_deleted_meanwhile_keeps_no_other_from_being_given_back(
    run, cloud
):
    for _ in range(3):
        cloud.put("failed", POISON)

    def trouble(number, operation, when):
        if operation == "change_message_visibility" and len(cloud.ids("failed")) == 3:
            del cloud.queues[URLS["failed"]][0]

    cloud.trouble = trouble
    assert run("list", "failed").exit_code == 0
    assert cloud.hidden("failed") == []


# show


def test_a_message_is_shown_whole_and_where_it_fails(run, cloud):
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


def test_a_message_that_is_not_there_ends_with_3(run, cloud):
    cloud.put("failed", POISON)
    for words in (
        ("show", "failed", "another"),
        ("redrive", "failed", "another"),
        ("drop", "failed", "another", "--yes"),
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
def test_a_notification_goes_to_the_topic_that_it_came_from(run, cloud, queue, topic):
    text = body(completed())
    message = cloud.put(queue, text)
    result = run("redrive", queue, "--all", *FAST)
    assert (result.exit_code, lines(result)) == (0, [[message, "redriven", ""]])
    assert (cloud.published, cloud.ids(queue)) == ([(topic, text)], [])
    assert result.stderr == "redriven 1, left 0\n"


def test_what_was_parked_goes_to_the_topic_of_the_queue_that_it_names(run, cloud):
    for source in ("completed", "failed", "another"):
        cloud.put("unprocessable", body(failed(source)), source_queue_arn=arn(source))
    result = run("redrive", "unprocessable", "--all", *FAST)
    assert [topic for topic, _ in cloud.published] == [SUCCESS, ERROR]
    assert result.exit_code == 1
    assert lines(result)[2][1:] == ["left", "no topic: its source is no queue of this stack"]


def test_what_would_fail_again_stays_with_the_reason(run, cloud):
    poison = cloud.put("failed", POISON)
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert result.exit_code == 1
    assert lines(result)[0] == [poison, "left", "would fail again: NotJson: body: expected JSON"]
    assert (cloud.ids("failed"), cloud.hidden("failed")) == ([poison], [])
    assert result.stderr == "redriven 1, left 1\n"


def test_only_the_named_messages_are_redriven(run, cloud):
    _, second, third = (cloud.put("failed", body(failed(f"{n}"))) for n in range(3))
    assert run("redrive", "failed", second, third, *FAST).exit_code == 0
    assert len(cloud.published) == 2
    assert cloud.ids("failed") == ["failed-0"]


def test_an_envelope_of_sns_is_taken_off(run, cloud):
    text = body(failed())
    envelope = json.dumps({"Type": "Notification", "MessageId": "1", "Message": text})
    cloud.put("failed-subscription", envelope)
    assert run("redrive", "failed-subscription", "--all", *FAST).exit_code == 0
    assert cloud.published == [(ERROR, text)]


def test_what_sns_does_not_take_stays_and_the_others_go(run, cloud):
    cloud.put("failed", body(failed(padding="x" * 300_000)))
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert result.exit_code == 1
    assert lines(result)[0][1:] == ["left", "SNS does not take it: InvalidParameter"]
    assert cloud.ids("failed") == ["failed-0"]


def test_a_redrive_is_bounded_and_says_what_it_leaves(run, cloud):
    for number in range(5):
        cloud.put("failed", body(failed(f"{number}")))
    result = run("redrive", "failed", "--all", "--limit", "3", *FAST)
    assert (result.exit_code, len(cloud.published)) == (1, 3)
    assert "the limit of 3 is reached: there are more" in result.stderr
    assert cloud.hidden("failed") == []
    assert run("redrive", "failed", "--all", "--limit", "2", *FAST).exit_code == 0


def test_what_stays_does_not_come_again_while_the_others_are_redriven(run, cloud):
    run("redrive", "failed", "--all", "--limit", "1000", "--rate", "10")
    run("redrive", "failed", "--all", "--limit", "1000", "--rate", "0.01")
    assert cloud.holds == {160, 43_200}


def test_without_the_right_to_publish_nothing_is_deleted_and_the_count_is_told(run, cloud):
    def trouble(number, operation, when):
        if operation == "publish":
            raise refusal("Publish", "AccessDenied", 403)

    cloud.trouble = trouble
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert result.exit_code == 5
    assert result.stderr == "stopped: redriven 0, left 0\nPublish: AccessDenied: no\n"
    assert (cloud.ids("failed"), cloud.hidden("failed")) == (["failed-0"], [])


@pytest.mark.parametrize(
    "words",
    [
        ("redrive", "failed"),
        ("redrive", "failed", "one", "--all"),
        ("drop", "failed", "--yes"),
        ("list", "others"),
        ("redrive", "failed", "--all", "--rate", "0"),
        ("redrive", "failed", "--all", "--limit", "0"),
    ],
)
def test_a_call_that_is_wrong_is_refused_before_anything_is_asked(run, cloud, words):
    result = run(*words)
    assert (result.exit_code, result.stdout, cloud.calls) == (2, "", [])


def test_on_a_terminal_what_was_left_is_shown(run, cloud, terminal):
    poison = cloud.put("failed", POISON)
    cloud.put("failed", body(failed()))
    result = run("redrive", "failed", "--all", *FAST)
    assert [row[0] for row in lines(result)] == [poison]


# redrive of the stream


def test_a_part_is_counted_by_a_writer_of_its_own_without_what_was_deleted(run, cloud):
    cloud.records = [record(n, "REMOVE" if n == 103 else "MODIFY") for n in range(98, 110)]
    cloud.put("summaries", given_up(100, 106))
    assert run("redrive", "summaries", "--all", *FAST).exit_code == 0
    ((name, event),) = cloud.invoked
    told = [each["dynamodb"]["SequenceNumber"] for each in event["Records"]]
    assert told == ["100", "101", "102", "104", "105", "106"]
    shard = json.loads(given_up(1, 1))["DDBStreamBatchInfo"]["shardId"]
    assert (name, event["redrivenFrom"]) == ("summarize", shard)
    assert event["shardId"] == f"{shard}-redriven-100"
    assert cloud.ids("summaries") == []


def test_changes_are_told_in_the_form_of_lambda(run, cloud):
    image = {
        "output": {"M": {"inline": {"B": b"\xff\x00"}, "size": {"N": "2"}}},
        "many": {"BS": [b"a", b"b"]},
    }
    cloud.records = [record(100, "INSERT", **image)]
    cloud.put("events", given_up(100, 100))
    assert run("redrive", "events", "--all", *FAST).exit_code == 0
    ((name, event),) = cloud.invoked
    (told,) = event["Records"]
    assert (name, event.keys()) == ("publish_events", {"Records"})
    assert told["eventSourceARN"].endswith("/stream/2026-01-01T00:00:00.000")
    assert told["dynamodb"]["ApproximateCreationDateTime"] == 1_769_342_400
    assert told["dynamodb"]["NewImage"] == {
        "output": {"M": {"inline": {"B": "/wA="}, "size": {"N": "2"}}},
        "many": {"BS": ["YQ==", "Yg=="]},
    }


def test_no_invocation_is_larger_than_lambda_takes(run, cloud):
    """The fake refuses 6 MB."""
    cloud.records = [record(n, text={"S": "x" * 390_000}) for n in range(100, 130)]
    cloud.put("summaries", given_up(100, 129))
    assert run("redrive", "summaries", "--all", *FAST).exit_code == 0
    assert sum(len(event["Records"]) for _, event in cloud.invoked) == 30
    cloud.invoked.clear()
    cloud.records = [record(n) for n in range(100, 350)]
    cloud.put("summaries", given_up(100, 349))
    assert run("redrive", "summaries", "--all", *FAST).exit_code == 0
    assert [len(event["Records"]) for _, event in cloud.invoked] == [100, 100, 50]


def test_a_part_that_the_stream_no_longer_has_is_past_repair(run, cloud):
    cloud.trimmed = True
    message = cloud.put("events", given_up(100, 104, hours_ago=23))
    result = run("redrive", "events", "--all", *FAST)
    assert result.exit_code == 1
    ((found, became, why),) = lines(result)
    assert (found, became) == (message, "left")
    assert why.startswith("past repair, the stream no longer has it: `list --since` that time")
    assert cloud.invoked == []


def test_a_last_change_that_is_not_there_is_not_waited_for(run, cloud):
    cloud.records = [record(n) for n in range(100, 103)]
    cloud.put("summaries", given_up(100, 104))
    result = run("redrive", "summaries", "--all", *FAST)
    assert lines(result)[0][2] == "the stream ends before the last change that it names"
    assert (result.exit_code, cloud.invoked) == (1, [])


def test_a_function_that_fails_leaves_the_part_without_its_words(run, cloud):
    cloud.function_error = True
    cloud.answer = lambda event: {"errorType": "Unavailable", "errorMessage": "payload"}
    cloud.records = [record(100)]
    cloud.put("summaries", given_up(100, 100))
    result = run("redrive", "summaries", "--all", *FAST)
    assert (result.exit_code, cloud.ids("summaries")) == (1, ["summaries-0"])
    assert lines(result)[0][2] == "the function failed: Unavailable; see its log"


def announcing(taken_in_a_call):
    """Takes so many of the changes of a call, and names the first of the others."""

    def answer(event):
        left = event["Records"][taken_in_a_call() :]
        named = [{"itemIdentifier": each["dynamodb"]["SequenceNumber"]} for each in left[:1]]
        return {"batchItemFailures": named}

    return answer


def test_announcing_goes_on_from_what_the_bus_did_not_take(run, cloud, monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    cloud.answer = announcing(lambda: 2)
    cloud.records = [record(n) for n in range(100, 105)]
    cloud.put("events", given_up(100, 104))
    assert run("redrive", "events", "--all", *FAST).exit_code == 0
    firsts = [event["Records"][0]["dynamodb"]["SequenceNumber"] for _, event in cloud.invoked]
    assert firsts == ["100", "102", "104"]
    assert [each for each in pauses if each >= 1] == [5, 5]


def test_a_bus_that_takes_nothing_leaves_the_part(run, cloud, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    cloud.answer = announcing(lambda: 0)
    cloud.records = [record(n) for n in range(100, 105)]
    cloud.put("events", given_up(100, 104))
    result = run("redrive", "events", "--all", *FAST)
    assert (result.exit_code, len(cloud.invoked)) == (1, 3)
    assert lines(result)[0][2] == "the event bus did not take 5 changes; see the log"
    assert cloud.ids("events") == ["events-0"]


# drop


def test_nothing_is_deleted_unless_it_is_confirmed(run, cloud, terminal):
    cloud.put("failed", POISON)
    for answer in ("n\n", "\n"):
        result = run("drop", "failed", "--all", input=answer)
        assert result.exit_code == 1
        assert "Delete 1 messages of failed for good?" in result.stderr
    assert cloud.ids("failed") == ["failed-0"]
    assert run("drop", "failed", "--all", input="y\n").exit_code == 0
    assert cloud.ids("failed") == []


def test_where_nobody_can_be_asked_the_answer_is_to_be_given(run, cloud):
    cloud.put("failed", POISON)
    result = run("drop", "failed", "--all")
    assert (result.exit_code, cloud.ids("failed")) == (2, ["failed-0"])
    assert "--yes" in result.stderr


def test_what_is_deleted_is_shown_and_saved_for_its_owner_only(run, cloud, tmp_path):
    file = tmp_path / "saved.jsonl"
    first = cloud.put("unprocessable", POISON, reason="NotJson")
    second = cloud.put("unprocessable", body(failed()))
    for message in (first, second):
        result = run("drop", "unprocessable", message, "--yes", "--save", str(file))
        assert (result.exit_code, lines(result)) == (0, [[message, "2026-01-25T12:00:00.000Z"]])
    assert cloud.ids("unprocessable") == []
    documents = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each["body"] for each in documents] == [POISON, body(failed())]
    assert documents[0]["attributes"] == {"reason": "NotJson"}
    assert (documents[0]["queue"], file.stat().st_mode & 0o077) == ("unprocessable", 0)


def test_a_file_that_cannot_be_written_leaves_all_messages(run, cloud, tmp_path):
    cloud.put("failed", POISON)
    path = tmp_path / "no folder" / "saved"
    result = run("drop", "failed", "--all", "--yes", "--save", str(path))
    assert (result.exit_code, cloud.ids("failed")) == (5, ["failed-0"])
