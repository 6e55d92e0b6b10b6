import json

import pytest

from inference_results.domain.changes.events import event_for_change
from inference_results.domain.changes.task_completions import (
    TaskFailure,
    TaskSuccess,
    completions_for_change,
)
from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import MalformedRecord
from tests.domain.changes.test_events import BASE, LATER, OTHER, failure, found, result, submitted
from tests.events_on_bus import check_detail


def waiting(record, *tokens):
    return record | {"task_tokens": set(tokens)}


def answers(before, after, *, custom_attributes=False):
    """The outcomes by their tokens."""
    change = Change(sequence="1", made_at=0, before=before, after=after)
    return {
        each.token: each.outcome
        for each in completions_for_change(change, custom_attributes=custom_attributes)
    }


def test_every_token_is_answered_when_the_inference_ends():
    told = answers(waiting(submitted(), "one", "two"), waiting(result(), "one", "two"))
    assert set(told) == {"one", "two"}
    assert told["one"] == told["two"]


@pytest.mark.parametrize("before", [None, submitted()])
def test_nothing_is_answered_before_the_end(before):
    assert answers(before, waiting(submitted(), "one")) == {}
    stage = {"order": "-\nx", "stage": "Invoking"}
    assert answers(before, waiting(submitted() | {"submission": stage}, "one")) == {}


def test_a_token_that_comes_after_the_end_is_answered_alone():
    assert set(answers(waiting(result(), "one"), waiting(result(), "one", "two"))) == {"two"}
    assert set(answers(result(), waiting(result(), "one"))) == {"one"}


def test_a_result_without_a_token_answers_nobody():
    assert answers(submitted(), result()) == {}


@pytest.mark.parametrize(
    "after", [result(output_error={"code": "x", "message": "x"}), result(event_time=LATER)]
)
def test_what_was_answered_is_not_answered_again_by_another_result(after):
    before = waiting(found("Lost"), "one")
    assert answers(before, waiting(after, "one")) == {}


def test_a_record_that_goes_answers_nobody():
    assert answers(waiting(result(), "one"), None) == {}


def test_a_completion_is_told_as_it_is_announced():
    after = waiting(result(custom_attributes="mine", caller_metadata={"job": "7"}), "one")
    for shown in (False, True):
        (success,) = answers(None, after, custom_attributes=shown).values()
        announced = event_for_change(
            Change(sequence="1", made_at=0, before=None, after=after), custom_attributes=shown
        )
        assert success == TaskSuccess(announced.detail)
        check_detail(json.loads(success.output))


def test_a_late_token_is_told_the_same_as_an_early_one():
    early = answers(waiting(submitted(), "one"), waiting(result(), "one"))
    late = answers(result(), waiting(result(), "two"))
    assert early["one"] == late["two"]


def test_a_completion_whose_output_could_not_be_read_is_a_success_that_says_so():
    unread = {"code": "AccessDenied", "message": "Access Denied"}
    (success,) = answers(None, waiting(result(output_error=unread), "one")).values()
    assert json.loads(success.output)["output_error"] == unread


def test_an_inline_output_that_does_not_fit_is_told_by_its_location():
    large = {"location": OTHER, "size": 65_536, "inline": b"\x01" * 65_536}
    (success,) = answers(None, waiting(result(output=large), "one")).values()
    told = json.loads(success.output)
    assert (told["omitted"], told["output"]["location"]) == (["output.inline"], OTHER)
    assert len(success.output.encode()) <= 262_144


@pytest.mark.parametrize(
    ("status", "more", "error", "reason"),
    [
        ("Failed", {"failure": failure() | {"reason": "it broke"}}, "MODEL_ERROR_5XX", "it broke"),
        ("Expired", {"failure": failure() | {"code": "EXPIRED"}}, "EXPIRED", "Expired"),
        ("Lost", {}, "Lost", "Lost"),
        ("Moved", {}, "Moved", "Moved"),
    ],
)
def test_an_end_without_output_is_a_failure_by_its_code(status, more, error, reason):
    told = answers(None, waiting(result(status, **more), "one"))
    assert told == {"one": TaskFailure(error, f"inference-1 on here: {reason}")}


def test_error_and_cause_are_cut_to_what_step_functions_takes():
    long = {"code": "C" * 300, "reason": "r" * 40_000, "retryable": False}
    (told,) = answers(None, waiting(result("Failed", failure=long), "one")).values()
    assert (len(told.error), len(told.cause)) == (256, 32_768)


def test_tokens_that_go_with_an_invocation_that_is_replaced_are_told_so():
    before = waiting(submitted(), "old")
    again = waiting(submitted(LATER, OTHER), "new")
    assert [each.error for each in answers(before, again).values()] == ["REPLACED"]
    assert set(answers(before, again)) == {"old"}
    assert answers(waiting(result(), "old"), again) == {}


def test_a_task_is_not_told_the_output_of_another_invocation_with_its_id():
    before = waiting(submitted(), "one")
    others = before | waiting(result(event_time=LATER, location=OTHER), "one")
    assert [each.error for each in answers(before, others).values()] == ["REPLACED"]
    own = before | waiting(result(event_time=LATER), "one")
    assert isinstance(answers(before, own)["one"], TaskSuccess)


@pytest.mark.parametrize("tokens", [["one"], "one", {1}, {b"one"}, {"one": "two"}])
def test_tokens_that_this_service_did_not_write_are_malformed(tokens):
    with pytest.raises(MalformedRecord, match="^task_tokens: not as this service writes it$"):
        answers(None, result() | {"task_tokens": tokens})


def test_a_malformed_record_is_answered_to_nobody():
    with pytest.raises(MalformedRecord):
        answers(None, waiting({"status": "Completed"}, "one"))
    with pytest.raises(MalformedRecord):
        answers(None, waiting(BASE | {"status": "Completed"}, "one"))


def test_what_is_answered_shows_no_token_and_no_payload():
    secret = failure() | {"reason": "SECRET"}
    for record in (result(caller_metadata={"a": "SECRET"}), result("Failed", failure=secret)):
        change = Change(sequence="1", made_at=0, before=None, after=waiting(record, "SECRET"))
        told = completions_for_change(change, custom_attributes=False)
        assert told
        assert "SECRET" not in repr([told, change])
