import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError

from inference_results.contract import DetailType
from inference_results.domain.changes.events import MAX_EVENT_BYTES, event_for_change
from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import MalformedRecord
from tests.domain.changes.records import (
    LATER,
    NOON,
    OTHER,
    OUTPUT,
    attempt,
    failure,
    found,
    result,
    submitted,
)
from tests.support.events_on_bus import check_event


def publish(before, after, custom_attributes=False):
    change = Change(sequence="1", made_at=0, before=before, after=after)
    return event_for_change(change, custom_attributes=custom_attributes)


def detail(before, after, **more):
    return json.loads(publish(before, after, **more).detail)


def envelope(event):
    """An event as a target receives it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "source": "inference-results",
        "account": "123456789012",
        "region": "eu-west-1",
        "detail-type": event.detail_type,
        "time": event.time,
        "resources": ["arn:aws:dynamodb:eu-west-1:123456789012:table/inferences"],
        "detail": json.loads(event.detail),
    }


@pytest.mark.parametrize(
    ("after", "detail_type"),
    [
        (submitted(), DetailType.SUBMITTED),
        (result("Completed"), DetailType.COMPLETED),
        (result("Failed"), DetailType.FAILED),
        (result("Expired"), DetailType.EXPIRED),
        (found("Lost"), DetailType.LOST),
        (result("Preempted"), DetailType.STATUS_CHANGED),
    ],
)
def test_a_new_record_is_published_by_its_status(after, detail_type):
    event = publish(None, after)
    assert event.detail_type is detail_type
    check_event(envelope(event))


def test_the_detail_is_the_record_as_the_api_returns_it():
    inline = {"location": OUTPUT, "size": 2, "inline": b"{}"}
    after = result(output=inline, caller_metadata={"job": "7"}, status_shard="1#Unread")
    event = publish(submitted(), after)
    assert event.time == NOON
    assert json.loads(event.detail) == {
        "version": 1,
        "event_id": event.event_id,
        "previous_status": "InProgress",
        "inference_id": "inference-1",
        "endpoint_name": "here",
        "status": "Completed",
        "event_time": NOON,
        "recorded_at": NOON,
        "output": {**inline, "inline": {"encoding": "utf-8", "content": "{}"}},
        "caller_metadata": {"job": "7"},
        "expires_at": "2026-09-21T14:13:20.000Z",
    }
    check_event(envelope(event))


def test_custom_attributes_are_only_published_if_enabled():
    after = result(custom_attributes="secret")
    assert "secret" not in publish(None, after).detail
    assert detail(None, after, custom_attributes=True)["custom_attributes"] == "secret"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (result(), result()),
        (result(), None),
        (None, None),
        (
            result(output_error={"code": "NoSuchKey", "message": "not there"}),
            result(output={"location": OUTPUT, "size": 2}),
        ),
        (result(), result(submission={"order": "o"}, submitted_at=NOON)),
        (None, attempt("Preparing")),
        (attempt("Preparing"), attempt("Invoking")),
        (result(), attempt()),
        (submitted(), submitted(caller_metadata={"note": "more"})),
        (submitted(), submitted(LATER)),
        (None, found(source="backfill")),
        (found(), result(event_time=LATER)),
        (found("Failed", failure=failure(OUTPUT)), result("Failed", LATER)),
        (found("Failed", failure=failure(OUTPUT)), result("Failed", failure=failure(OUTPUT))),
    ],
    ids=[
        "a duplicate",
        "expired or withdrawn",
        "nothing",
        "an output read later",
        "registered late",
        "an attempt",
        "claimed",
        "an attempt after a result",
        "registered again",
        "registered again by another clock",
        "backfilled",
        "reconciled before its notification",
        "reconciled before a notification without a location",
        "reconciled before a notification of the same failure object",
    ],
)
def test_a_change_without_a_new_status_is_not_published(before, after):
    assert publish(before, after) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (attempt(), submitted()),
        (attempt(), result()),
        (submitted(), result()),
        (result("Failed"), result("Completed")),
        (result("Completed"), result("Failed", LATER)),
        (result(), result(event_time=LATER)),
        (result(), result(location=OTHER)),
        (result("Failed"), result("Failed", digest="e")),
        (result(), submitted(LATER, OTHER)),
        (submitted(), submitted(LATER, OTHER)),
        (found("Lost"), result()),
        (found("Lost"), submitted()),
        (found(), result(location=OTHER)),
        (found(source="backfill"), result()),
        ({"status": 7}, result()),
    ],
    ids=[
        "an attempt is confirmed",
        "a result before its registration",
        "a result",
        "completed after all",
        "failed later",
        "another result",
        "another output",
        "another failure at the same time",
        "the id is used again",
        "the id is used again before it ended",
        "it was not lost",
        "it was not lost, and is in progress",
        "another output than reconciliation found",
        "notified after it was backfilled",
        "a malformed record before",
    ],
)
def test_a_change_of_the_status_is_published(before, after):
    check_event(envelope(publish(before, after)))


def test_a_redelivered_change_has_the_same_event_id():
    first, second = (publish(submitted(), result()) for _ in range(2))
    assert first == second


def test_the_event_id_does_not_depend_on_the_earlier_record():
    """A result that replaces another has the same id as if it were the first."""
    assert detail(None, result())["event_id"] == (detail(result("Failed"), result())["event_id"])


def test_registering_an_invocation_with_other_details_keeps_the_event_id():
    first, other = submitted(), submitted(caller_metadata={"note": "more"})
    assert first["submission"]["order"] != other["submission"]["order"]
    ids = [publish(attempt(), each).event_id for each in (first, other)]
    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    "other",
    [
        result("Failed"),
        result(event_time=LATER),
        result(location=OTHER),
        result(digest="e"),
        result(inference_id="inference-2"),
        result(endpoint_name="there"),
        submitted(),
        submitted(LATER),
        submitted(location=OTHER),
    ],
)
def test_another_result_or_invocation_has_another_event_id(other):
    ids = [publish(None, each).event_id for each in (result(), other)]
    assert len(set(ids)) == 2


def test_an_output_that_does_not_fit_is_omitted_and_listed():
    large = {"location": OUTPUT, "size": 65_536, "inline": b"\x01" * 65_536}
    event = publish(None, result(output=large))
    published = json.loads(event.detail)
    assert published["omitted"] == ["output.inline"]
    assert published["output"] == {"location": OUTPUT, "size": 65_536}
    check_event(envelope(event))


def test_an_output_of_the_largest_inline_size_fits():
    large = {"location": OUTPUT, "inline": b"x" * 65_536}
    assert len(detail(None, result(output=large))["output"]["inline"]["content"]) == 65_536


@given(st.integers(120_000, 140_000), st.sampled_from(["ä", "\x01", "x"]))
def test_no_event_is_larger_than_the_limit(size, character):
    after = result(output={"location": OUTPUT, "inline": (character * size).encode()})
    event = publish(None, after)
    assert len(json.dumps(envelope(event), ensure_ascii=False).encode()) < MAX_EVENT_BYTES
    published = json.loads(event.detail)
    assert ("inline" in published["output"]) == ("omitted" not in published)


def without(record, name):
    return {each: value for each, value in record.items() if each != name}


MALFORMED = {
    "a key only": {"inference_id": "inference-1", "endpoint_name": "here"},
    "inference_id not printable": result(inference_id="\x1f"),
    "inference_id too long": result(inference_id="x" * 65),
    "status a number": result(status=7),
    "status empty": result(status=""),
    "event_time a number": {**result(), "event_time": 7},
    "recorded_at not a time": result(recorded_at="noon"),
    "deadline without an offset": result(deadline="2026-01-25T12:00:00"),
    "event_order null": {**result(), "event_order": None},
    "no event_order": without(result(), "event_order"),
    "no event_time": without(result(), "event_time"),
    "output a string": result(output="s3://bucket/key"),
    "location a number": result(output={"location": 7}),
    "size a boolean": result(output={"size": True}),
    "output with another member": result(output={"unheard_of": "text"}),
    "output_error without a message": result(output_error={"code": "NoSuchKey"}),
    "retryable a string": result("Failed", failure={"code": "LOST", "retryable": "yes"}),
    "ignored_fields a string": result(ignored_fields="all"),
    "ignored_fields of sets": result(ignored_fields=[{1, 2}]),
    "metadata of sets": result(caller_metadata={"job": {"1", "2"}}),
    "expires_at a string": result(expires_at="soon"),
    "expires_at before 1970": result(expires_at=-1),
    "expires_at after the year 9999": result(expires_at=10**30),
    "content_type binary": result(content_type=b"text/plain"),
    "submission a string": submitted(submission="none"),
    "submission empty": submitted(submission={}),
    "no submission": without(submitted(), "submission"),
    "no submitted_at": without(submitted(), "submitted_at"),
    "larger than an event": result("Failed", input_location="x" * 300_000),
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_record_is_not_published_and_not_quoted(malformed):
    with pytest.raises(MalformedRecord) as raised:
        publish(None, malformed)
    assert "inference-1" not in str(raised.value)


OVERWRITTEN = without(MALFORMED, "larger than an event")


@pytest.mark.parametrize("malformed", OVERWRITTEN.values(), ids=OVERWRITTEN)
def test_a_result_that_overwrites_a_malformed_record_is_published(malformed):
    assert publish(malformed, result("Failed")).detail_type is DetailType.FAILED


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [*result(), *submitted(), "output_error", "failure", "ignored_fields", "caller_metadata"]
)


@given(st.sampled_from([result(), submitted(), found("Lost")]), NAMES, ANYTHING)
def test_every_published_event_matches_the_schema(record, name, value):
    try:
        event = publish(None, {**record, name: value})
    except MalformedRecord:
        return
    if event:
        check_event(envelope(event))


STATES = st.sampled_from(
    [None, attempt(), submitted(), submitted(LATER, OTHER), found("Lost"), found()]
    + [result(status, time) for status in ("Completed", "Failed") for time in (NOON, LATER)]
)


@given(st.lists(STATES, max_size=12))
def test_each_change_of_a_status_is_published_once(states):
    before = None
    for after in states:
        event = publish(before, after)
        assert publish(after, after) is None
        if event:
            assert json.loads(event.detail)["status"] == after["status"]
        elif after not in (None, attempt()):
            assert before["status"] == after["status"]
        before = after


@pytest.mark.parametrize(
    "changes",
    [
        {"detail-type": DetailType.FAILED},
        {"detail-type": DetailType.STATUS_CHANGED},
        {"source": "elsewhere"},
        {"detail": {}},
        {"detail": {**detail(None, result()), "more": 1}},
    ],
)
def test_the_schema_rejects_other_events(changes):
    with pytest.raises(ValidationError):
        check_event({**envelope(publish(None, result())), **changes})


def test_the_repr_of_an_event_hides_its_detail():
    event = publish(None, result(caller_metadata={"job": "secret"}))
    assert "secret" in event.detail
    assert "secret" not in repr(replace(event, time=LATER))
