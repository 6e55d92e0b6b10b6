import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.changes.delivery import Deliver
from inference_results.domain.changes.publish import PublishEvents, PutResult
from inference_results.domain.record.change import Change
from tests.domain.changes.records import LATER, result
from tests.support.fakes import NOW

ACCEPTED, RETRY, REJECTED = PutResult


@dataclass
class FakeBus:
    """Returns the next result of each inference id; accepts an id without results."""

    results: dict[str, list[PutResult]] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def put(self, events, has_time):
        ids = [json.loads(each.detail)["inference_id"] for each in events]
        self.calls.append(ids)
        results = []
        for each in ids:
            remaining = self.results.get(each)
            results.append(remaining.pop(0) if remaining and has_time() else ACCEPTED)
            if not has_time():
                results[-1] = RETRY
        self.accepted += [
            each for each, result in zip(ids, results, strict=True) if result is ACCEPTED
        ]
        return results


def changes(*ids):
    return [
        Change(sequence=f"s-{each}", made_at=0, before=None, after=result(inference_id=each))
        for each in ids
    ]


@pytest.fixture
def delays():
    return []


@pytest.fixture
def publish(delays):
    def publish(bus, changes, has_time=lambda: True):
        publish_events = PublishEvents(
            bus=bus, custom_attributes=False, deliver=Deliver(sleep=delays.append), now=lambda: NOW
        )
        return publish_events(changes, has_time)

    return publish


def test_events_are_published_in_the_order_of_their_changes(publish):
    bus = FakeBus()
    report = publish(bus, changes("a", "b", "c"))
    assert bus.calls == [["a", "b", "c"]]
    assert (report.published, report.retried, report.returned) == (3, 0, [])


def test_only_unaccepted_events_are_retried(publish, delays):
    bus = FakeBus({"b": [RETRY, RETRY]})
    report = publish(bus, changes("a", "b", "c"))
    assert bus.calls == [["a", "b", "c"], ["b"], ["b"]]
    assert (report.published, report.retried, report.returned) == (3, 2, [])
    assert delays == sorted(delays)
    assert len(delays) == 2


def test_events_that_stay_unaccepted_are_returned_in_order(publish):
    bus = FakeBus({"b": [RETRY] * 99, "d": [RETRY] * 99})
    report = publish(bus, changes("a", "b", "c", "d"))
    assert report.returned == ["s-b", "s-d"]
    assert bus.accepted == ["a", "c"]


def test_all_delays_add_up_to_less_than_ten_seconds(publish, delays):
    publish(FakeBus({"a": [RETRY] * 99}), changes("a"))
    assert sum(delays) < 10


def test_no_retry_starts_when_the_time_is_over(publish, delays):
    has_time = iter([True, True, False])
    bus = FakeBus({"a": [RETRY] * 99})
    report = publish(bus, changes("a"), lambda: next(has_time, False))
    assert (report.returned, delays) == (["s-a"], [])


def test_rejected_events_are_reported_and_not_retried(publish):
    bus = FakeBus({"b": [REJECTED]})
    report = publish(bus, changes("a", "b"))
    assert bus.calls == [["a", "b"]]
    assert [json.loads(each.detail)["inference_id"] for each in report.rejected] == ["b"]
    assert (report.published, report.returned) == (1, [])


def test_a_malformed_record_does_not_affect_other_events(publish):
    malformed = Change(
        sequence="malformed", made_at=0, before=None, after={"status": ["no", "text"]}
    )
    bus = FakeBus()
    report = publish(bus, [*changes("a"), malformed, *changes("b")])
    assert bus.accepted == ["a", "b"]
    ((sequence, error),) = report.malformed
    assert (sequence, str(error)) == (
        "malformed",
        "inference_id: missing or not in the form that this service writes",
    )


def test_an_unchanged_status_publishes_nothing(publish):
    same = Change(sequence="1", made_at=0, before=result(), after=result())
    bus = FakeBus()
    assert publish(bus, [same]).published == 0
    assert bus.accepted == []


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from(PutResult), max_size=9)))
def test_every_change_is_published_once_or_reported(results):
    bus = FakeBus(results)
    publish_events = PublishEvents(
        bus=bus,
        custom_attributes=False,
        deliver=Deliver(sleep=lambda seconds: None),
        now=lambda: NOW,
    )
    report = publish_events(changes(*"abcdef"), lambda: True)
    rejected = [json.loads(each.detail)["inference_id"] for each in report.rejected]
    returned = [each.removeprefix("s-") for each in report.returned]
    assert sorted(bus.accepted + rejected + returned) == list("abcdef")
    assert report.published == len(bus.accepted)
    assert returned == sorted(returned)


def test_the_lag_is_from_the_records_write_to_the_bus(publish):
    early, without_time = result(recorded_at="2026-01-25T11:59:58.500Z"), result()
    del without_time["recorded_at"]
    report = publish(
        FakeBus(),
        [
            Change(sequence=str(number), made_at=0, before=None, after=each)
            for number, each in enumerate([early, result(recorded_at=LATER), without_time])
        ],
    )
    assert (report.published, report.lags_ms) == (3, [1500, 0])
