from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.changes.complete_tasks import CompleteTasks, CompletionResult
from inference_results.domain.changes.delivery import Deliver
from inference_results.domain.record.change import Change
from tests.domain.changes.test_events import result

TAKEN, GONE, DENIED, NOT_NOW = CompletionResult


@dataclass
class FakeTasks:
    """Answers each token with the next of its replies, and takes it when there is none left."""

    replies: dict[str, list[CompletionResult]] = field(default_factory=dict)
    offers: list[list[str]] = field(default_factory=list)

    def answer(self, answers, may_begin):
        tokens = [each.token for each in answers]
        self.offers.append(tokens)
        left = [self.replies.get(each) for each in tokens]
        return [each.pop(0) if each else TAKEN for each in left]


def changes(*tokens):
    return [
        Change(
            sequence=f"s-{each}", made_at=0, before=None, after=result() | {"task_tokens": {each}}
        )
        for each in tokens
    ]


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def answer(pauses):
    def answer(tasks, told, may_begin=lambda: True):
        use_case = CompleteTasks(
            tasks=tasks, custom_attributes=False, offer=Deliver(sleep=pauses.append)
        )
        return use_case(told, may_begin)

    return answer


def test_tasks_are_answered_in_the_order_of_their_changes(answer):
    tasks = FakeTasks()
    assert answer(tasks, changes("a", "b", "c")).answered == 3
    assert tasks.offers == [["a", "b", "c"]]


@pytest.mark.parametrize("reply", [GONE, DENIED])
def test_what_can_never_be_answered_is_done_with(answer, reply):
    tasks = FakeTasks({"b": [reply]})
    told = answer(tasks, changes("a", "b", "c"))
    assert tasks.offers == [["a", "b", "c"]]
    assert (told.answered, told.left) == (2, [])
    assert (told.gone, len(told.denied)) == ((1, 0) if reply is GONE else (0, 1))


def test_what_cannot_be_answered_now_is_tried_again_alone(answer, pauses):
    tasks = FakeTasks({"b": [NOT_NOW]})
    told = answer(tasks, changes("a", "b", "c"))
    assert (tasks.offers, told.answered) == ([["a", "b", "c"], ["b"]], 3)
    assert len(pauses) == 1


def test_what_can_never_be_answered_now_is_left_in_its_order(answer, pauses):
    told = answer(FakeTasks({"b": [NOT_NOW] * 99, "d": [NOT_NOW] * 99}), changes(*"abcd"))
    assert (told.answered, told.left) == (2, ["s-b", "s-d"])
    assert sum(pauses) < 10


def test_no_pause_is_begun_when_the_time_is_up(answer, pauses):
    told = answer(FakeTasks({"a": [NOT_NOW] * 99}), changes("a"), lambda: False)
    assert (told.left, pauses) == (["s-a"], [])


def test_a_malformed_record_leaves_its_neighbours_answered(answer):
    odd = Change(
        sequence="odd", made_at=0, before=None, after=result() | {"task_tokens": ["SECRET"]}
    )
    told = answer(FakeTasks(), [*changes("a"), odd, *changes("b")])
    ((sequence, why),) = told.malformed
    assert (told.answered, sequence) == (2, "odd")
    assert "SECRET" not in str(why)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from(CompletionResult), max_size=9)
    )
)
def test_every_task_is_answered_once_or_said_not_to_be(replies):
    use_case = CompleteTasks(
        tasks=FakeTasks(replies), custom_attributes=False, offer=Deliver(sleep=lambda seconds: None)
    )
    told = use_case(changes(*"abcdef"), lambda: True)
    assert told.answered + told.gone + len(told.denied) + len(told.left) == 6
    assert told.left == sorted(told.left)
