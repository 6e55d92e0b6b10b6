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
from tests.domain.changes.records import BASE, LATER, OTHER, failure, found, result, submitted
from tests.support.events_on_bus import check_detail


def waiting(record, *tokens):
    return record | {"task_tokens": set(tokens)}


def outcomes(before, after, *, custom_attributes=False):
    """The outcomes of completed tasks, by token."""
    change = Change(sequence="1", made_at=0, before=before, after=after)
    return {
        each.token: each.outcome
        for each in completions_for_change(change, custom_attributes=custom_attributes)
    }


def test_all_tasks_complete_when_the_inference_ends():
    ended = outcomes(waiting(submitted(), "one", "two"), waiting(result(), "one", "two"))
    assert set(ended) == {"one", "two"}
    assert ended["one"] == ended["two"]


@pytest.mark.parametrize("before", [None, submitted()])
def test_no_task_completes_before_the_end(before):
    assert outcomes(before, waiting(submitted(), "one")) == {}
    stage = {"order": "-\nx", "stage": "Invoking"}
    assert outcomes(before, waiting(submitted() | {"submission": stage}, "one")) == {}


def test_a_token_added_after_the_end_completes_alone():
    assert set(outcomes(waiting(result(), "one"), waiting(result(), "one", "two"))) == {"two"}
    assert set(outcomes(result(), waiting(result(), "one"))) == {"one"}


def test_a_result_without_a_token_completes_nothing():
    assert outcomes(submitted(), result()) == {}


@pytest.mark.parametrize(
    "after", [result(output_error={"code": "x", "message": "x"}), result(event_time=LATER)]
)
def test_a_completed_task_is_not_completed_again_by_another_result(after):
    before = waiting(found("Lost"), "one")
    assert outcomes(before, waiting(after, "one")) == {}


def test_a_deleted_record_completes_nothing():
    assert outcomes(waiting(result(), "one"), None) == {}


def test_the_task_output_is_the_event_detail():
    after = waiting(result(custom_attributes="mine", caller_metadata={"job": "7"}), "one")
    for included in (False, True):
        (success,) = outcomes(None, after, custom_attributes=included).values()
        event = event_for_change(
            Change(sequence="1", made_at=0, before=None, after=after), custom_attributes=included
        )
        assert success == TaskSuccess(event.detail)
        check_detail(json.loads(success.output))


def test_early_and_late_tokens_complete_with_the_same_output():
    early = outcomes(waiting(submitted(), "one"), waiting(result(), "one"))
    late = outcomes(result(), waiting(result(), "two"))
    assert early["one"] == late["two"]


def test_a_completion_with_an_unread_output_succeeds_with_the_output_error():
    unread = {"code": "AccessDenied", "message": "Access Denied"}
    (success,) = outcomes(None, waiting(result(output_error=unread), "one")).values()
    assert json.loads(success.output)["output_error"] == unread


def test_an_inline_output_that_does_not_fit_is_omitted():
    large = {"location": OTHER, "size": 65_536, "inline": b"\x01" * 65_536}
    (success,) = outcomes(None, waiting(result(output=large), "one")).values()
    output = json.loads(success.output)
    assert (output["omitted"], output["output"]["location"]) == (["output.inline"], OTHER)
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
def test_an_end_without_output_fails_the_task_with_its_code(status, more, error, reason):
    failed = outcomes(None, waiting(result(status, **more), "one"))
    assert failed == {"one": TaskFailure(error, f"inference-1 on here: {reason}")}


def test_error_and_cause_are_cut_to_step_functions_limits():
    long = {"code": "C" * 300, "reason": "r" * 40_000, "retryable": False}
    (failed,) = outcomes(None, waiting(result("Failed", failure=long), "one")).values()
    assert (len(failed.error), len(failed.cause)) == (256, 32_768)


def test_tokens_of_a_replaced_invocation_fail_as_replaced():
    before = waiting(submitted(), "old")
    again = waiting(submitted(LATER, OTHER), "new")
    assert [each.error for each in outcomes(before, again).values()] == ["REPLACED"]
    assert set(outcomes(before, again)) == {"old"}
    assert outcomes(waiting(result(), "old"), again) == {}


def test_a_task_never_gets_the_output_of_another_invocation_with_its_id():
    before = waiting(submitted(), "one")
    others = before | waiting(result(event_time=LATER, location=OTHER), "one")
    assert [each.error for each in outcomes(before, others).values()] == ["REPLACED"]
    own = before | waiting(result(event_time=LATER), "one")
    assert isinstance(outcomes(before, own)["one"], TaskSuccess)


@pytest.mark.parametrize("tokens", [["one"], "one", {1}, {b"one"}, {"one": "two"}])
def test_tokens_that_are_not_a_string_set_are_malformed(tokens):
    with pytest.raises(MalformedRecord, match="^task_tokens: expected a string set$"):
        outcomes(None, result() | {"task_tokens": tokens})


def test_a_malformed_record_completes_nothing():
    with pytest.raises(MalformedRecord):
        outcomes(None, waiting({"status": "Completed"}, "one"))
    with pytest.raises(MalformedRecord):
        outcomes(None, waiting(BASE | {"status": "Completed"}, "one"))


def test_the_repr_of_a_completion_hides_token_and_payload():
    secret = failure() | {"reason": "SECRET"}
    for record in (result(caller_metadata={"a": "SECRET"}), result("Failed", failure=secret)):
        change = Change(sequence="1", made_at=0, before=None, after=waiting(record, "SECRET"))
        completions = completions_for_change(change, custom_attributes=False)
        assert completions
        assert "SECRET" not in repr([completions, change])
