from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.changes.complete_tasks import CompleteTasks, CompletionResult
from inference_results.domain.changes.delivery import Deliver
from inference_results.domain.record.change import Change
from tests.domain.changes.records import result

ACCEPTED, GONE, DENIED, RETRY = CompletionResult


@dataclass
class FakeTasks:
    """Returns the next result of each token; accepts a token without results."""

    results: dict[str, list[CompletionResult]] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)

    def complete(self, completions, has_time):
        tokens = [each.token for each in completions]
        self.calls.append(tokens)
        remaining = [self.results.get(each) for each in tokens]
        return [each.pop(0) if each else ACCEPTED for each in remaining]


def changes(*tokens):
    return [
        Change(
            sequence=f"s-{each}", made_at=0, before=None, after=result() | {"task_tokens": {each}}
        )
        for each in tokens
    ]


@pytest.fixture
def delays():
    return []


@pytest.fixture
def complete(delays):
    def complete(tasks, changes, has_time=lambda: True):
        complete_tasks = CompleteTasks(
            tasks=tasks, custom_attributes=False, deliver=Deliver(sleep=delays.append)
        )
        return complete_tasks(changes, has_time)

    return complete


def test_tasks_are_completed_in_the_order_of_their_changes(complete):
    tasks = FakeTasks()
    assert complete(tasks, changes("a", "b", "c")).completed == 3
    assert tasks.calls == [["a", "b", "c"]]


@pytest.mark.parametrize("result_of_b", [GONE, DENIED])
def test_tasks_that_can_never_be_completed_are_not_retried(complete, result_of_b):
    tasks = FakeTasks({"b": [result_of_b]})
    report = complete(tasks, changes("a", "b", "c"))
    assert tasks.calls == [["a", "b", "c"]]
    assert (report.completed, report.returned) == (2, [])
    assert (report.gone, len(report.denied)) == ((1, 0) if result_of_b is GONE else (0, 1))


def test_only_unaccepted_completions_are_retried(complete, delays):
    tasks = FakeTasks({"b": [RETRY]})
    report = complete(tasks, changes("a", "b", "c"))
    assert (tasks.calls, report.completed) == ([["a", "b", "c"], ["b"]], 3)
    assert len(delays) == 1


def test_completions_that_stay_unaccepted_are_returned_in_order(complete, delays):
    report = complete(FakeTasks({"b": [RETRY] * 99, "d": [RETRY] * 99}), changes(*"abcd"))
    assert (report.completed, report.returned) == (2, ["s-b", "s-d"])
    assert sum(delays) < 10


def test_no_retry_starts_when_the_time_is_over(complete, delays):
    report = complete(FakeTasks({"a": [RETRY] * 99}), changes("a"), lambda: False)
    assert (report.returned, delays) == (["s-a"], [])


def test_a_malformed_record_does_not_affect_other_tasks(complete):
    malformed = Change(
        sequence="malformed", made_at=0, before=None, after=result() | {"task_tokens": ["SECRET"]}
    )
    report = complete(FakeTasks(), [*changes("a"), malformed, *changes("b")])
    ((sequence, error),) = report.malformed
    assert (report.completed, sequence) == (2, "malformed")
    assert "SECRET" not in str(error)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from(CompletionResult), max_size=9)
    )
)
def test_every_task_is_completed_once_or_reported(results):
    complete_tasks = CompleteTasks(
        tasks=FakeTasks(results),
        custom_attributes=False,
        deliver=Deliver(sleep=lambda seconds: None),
    )
    report = complete_tasks(changes(*"abcdef"), lambda: True)
    assert report.completed + report.gone + len(report.denied) + len(report.returned) == 6
    assert report.returned == sorted(report.returned)
