import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.changes.delivery import Deliver
from inference_results.domain.changes.publish import PublishEvents, PutResult
from inference_results.domain.record.change import Change
from tests.domain.changes.test_events import LATER, result
from tests.fakes import NOW

TAKEN, NOT_NOW, NEVER = PutResult


@dataclass
class FakeBus:
    """Answers each event with the next of its replies, and takes it when there is none left."""

    replies: dict[str, list[PutResult]] = field(default_factory=dict)
    offers: list[list[str]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def put(self, announcements, may_begin):
        ids = [json.loads(each.detail)["inference_id"] for each in announcements]
        self.offers.append(ids)
        answers = []
        for each in ids:
            waiting = self.replies.get(each)
            answers.append(waiting.pop(0) if waiting and may_begin() else TAKEN)
            if not may_begin():
                answers[-1] = NOT_NOW
        self.taken += [each for each, answer in zip(ids, answers, strict=True) if answer is TAKEN]
        return answers


def changes(*ids):
    return [
        Change(sequence=f"s-{each}", made_at=0, before=None, after=result(inference_id=each))
        for each in ids
    ]


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def announce(pauses):
    def announce(bus, told, may_begin=lambda: True):
        use_case = PublishEvents(
            bus=bus, custom_attributes=False, offer=Deliver(sleep=pauses.append), now=lambda: NOW
        )
        return use_case(told, may_begin)

    return announce


def test_changes_are_offered_in_their_order(announce):
    bus = FakeBus()
    told = announce(bus, changes("a", "b", "c"))
    assert bus.offers == [["a", "b", "c"]]
    assert (told.announced, told.retried, told.left) == (3, 0, [])


def test_what_is_not_taken_is_offered_again_alone(announce, pauses):
    bus = FakeBus({"b": [NOT_NOW, NOT_NOW]})
    told = announce(bus, changes("a", "b", "c"))
    assert bus.offers == [["a", "b", "c"], ["b"], ["b"]]
    assert (told.announced, told.retried, told.left) == (3, 2, [])
    assert pauses == sorted(pauses)
    assert len(pauses) == 2


def test_what_is_never_taken_now_is_left_in_its_order(announce):
    bus = FakeBus({"b": [NOT_NOW] * 99, "d": [NOT_NOW] * 99})
    told = announce(bus, changes("a", "b", "c", "d"))
    assert told.left == ["s-b", "s-d"]
    assert bus.taken == ["a", "c"]


def test_pauses_end_in_time_for_the_function(announce, pauses):
    announce(FakeBus({"a": [NOT_NOW] * 99}), changes("a"))
    assert sum(pauses) < 10


def test_no_pause_is_begun_when_the_time_is_up(announce, pauses):
    left = iter([True, True, False])
    bus = FakeBus({"a": [NOT_NOW] * 99})
    told = announce(bus, changes("a"), lambda: next(left, False))
    assert (told.left, pauses) == (["s-a"], [])


def test_what_the_bus_refuses_is_named_and_not_offered_again(announce):
    bus = FakeBus({"b": [NEVER]})
    told = announce(bus, changes("a", "b"))
    assert bus.offers == [["a", "b"]]
    assert [json.loads(each.detail)["inference_id"] for each in told.refused] == ["b"]
    assert (told.announced, told.left) == (1, [])


def test_a_malformed_record_leaves_its_neighbours_announced(announce):
    odd = Change(sequence="odd", made_at=0, before=None, after={"status": ["no", "text"]})
    bus = FakeBus()
    told = announce(bus, [*changes("a"), odd, *changes("b")])
    assert bus.taken == ["a", "b"]
    ((sequence, why),) = told.malformed
    assert (sequence, str(why)) == (
        "odd",
        "inference_id: missing or not in the form that this service writes",
    )


def test_changes_that_are_none_of_a_status_offer_nothing(announce):
    same = Change(sequence="1", made_at=0, before=result(), after=result())
    bus = FakeBus()
    assert announce(bus, [same]).announced == 0
    assert bus.taken == []


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from(PutResult), max_size=9)))
def test_every_change_is_announced_once_or_said_not_to_be(replies):
    bus = FakeBus(replies)
    use_case = PublishEvents(
        bus=bus,
        custom_attributes=False,
        offer=Deliver(sleep=lambda seconds: None),
        now=lambda: NOW,
    )
    told = use_case(changes(*"abcdef"), lambda: True)
    refused = [json.loads(each.detail)["inference_id"] for each in told.refused]
    left = [each.removeprefix("s-") for each in told.left]
    assert sorted(bus.taken + refused + left) == list("abcdef")
    assert told.announced == len(bus.taken)
    assert left == sorted(left)


def test_a_lag_is_from_the_record_to_what_the_bus_took(announce):
    early, unknown = result(recorded_at="2026-01-25T11:59:58.500Z"), result()
    del unknown["recorded_at"]
    told = announce(
        FakeBus(),
        [
            Change(sequence=str(number), made_at=0, before=None, after=each)
            for number, each in enumerate([early, result(recorded_at=LATER), unknown])
        ],
    )
    assert (told.announced, told.lags_ms) == (3, [1500, 0])
