from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.contract import STREAM_RETRY_HOURS
from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.summaries.counters import (
    CountedRange,
    CountResults,
    EndpointDay,
    counters_for_change,
)

NOON = "2026-01-25T12:00:00.000Z"
DAY = EndpointDay("here", "2026-01-25")
NOW = datetime(2026, 1, 25, 12, tzinfo=UTC)
MADE = int(NOW.timestamp())


@dataclass
class FakeCounters:
    """A summaries table: counters and counted ranges by endpoint, day and writer."""

    counters: dict[tuple[EndpointDay, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    ranges: dict[tuple[EndpointDay, str], CountedRange] = field(default_factory=dict)
    oldest_change_at: dict[tuple[EndpointDay, str], int] = field(default_factory=dict)
    updates: list = field(default_factory=list)
    calls_until_error: int | None = None

    def add(self, update):
        if self.calls_until_error is not None:
            self.calls_until_error -= 1
            if self.calls_until_error < 0:
                raise Unavailable("dynamodb", "ThrottlingException")
        self.updates.append(update)
        key = (update.endpoint_day, update.writer)
        first, last = update.first_sequence, update.last_sequence
        if before := self.ranges.get(key):
            if before.last >= first:
                return before.last
            first = before.first
        gaps = before.gaps if before else ()
        if before and self.oldest_change_at[key] < update.complete_since:
            gaps = (*gaps, (before.last, update.first_sequence))
        self.counters[key].update(update.counters)
        self.ranges[key] = CountedRange(first=first, last=last, gaps=gaps)
        self.oldest_change_at[key] = update.oldest_change_at
        return last

    def counted_range(self, endpoint_day, writer):
        return self.ranges.get((endpoint_day, writer))

    def total(self):
        total = Counter()
        for (day, _), counters in self.counters.items():
            for name, n in counters.items():
                total[day, name] += n
        return {each: n for each, n in total.items() if n}

    def of_day(self, day=DAY, writer="shard"):
        return {name: n for name, n in self.counters[day, writer].items() if n}


def record(status="Completed", event_time=NOON, **more):
    return {"endpoint_name": "here", "status": status, "event_time": event_time, **more}


def change(before, after, sequence="1", made=MADE):
    return Change(sequence=sequence.zfill(40), made_at=made, before=before, after=after)


def test_a_new_result_counts_by_status_and_latency():
    result = record(received_at="2026-01-25T11:59:50.000Z")
    assert counters_for_change(change(None, result)) == {
        DAY: {"status#Completed": 1, "latency#93": 1}
    }


def test_a_result_without_received_at_counts_by_status_only():
    assert counters_for_change(change(None, record("Failed"))) == {DAY: {"status#Failed": 1}}


def test_an_unknown_status_counts_as_it_is():
    assert counters_for_change(change(None, record("Pre#empted: 50 %"))) == {
        DAY: {"status#Pre#empted: 50 %": 1}
    }


def test_a_replacing_result_subtracts_the_replaced_one():
    before = record("Failed", received_at="2026-01-25T11:59:59.000Z")
    after = record(received_at="2026-01-25T11:59:50.000Z")
    assert counters_for_change(change(before, after)) == {
        DAY: {"status#Failed": -1, "status#Completed": 1, "latency#70": -1, "latency#93": 1}
    }


def test_a_result_on_another_day_moves_there():
    after = record(event_time="2026-01-26T00:00:00.000Z")
    assert counters_for_change(change(record(), after)) == {
        DAY: {"status#Completed": -1},
        EndpointDay("here", "2026-01-26"): {"status#Completed": 1},
    }


def test_days_are_in_utc():
    late = record(event_time="2026-01-25T23:30:00-02:00")
    assert list(counters_for_change(change(None, late))) == [EndpointDay("here", "2026-01-26")]


def test_a_result_that_becomes_a_submission_again_no_longer_counts():
    assert counters_for_change(change(record(), record("InProgress"))) == {
        DAY: {"status#Completed": -1}
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, record("InProgress")),
        (None, {"endpoint_name": "here", "status": "Completed"}),
        (record(), record(output="filled in", recorded_at=NOON)),
        (record("InProgress"), record("InProgress")),
        (record(), None),
    ],
    ids=["a submission", "without a time", "the same result", "still running", "deleted, expired"],
)
def test_an_unchanged_result_counts_nothing(before, after):
    assert counters_for_change(change(before, after)) == {}


@pytest.mark.parametrize(
    "malformed",
    [
        {},
        record(status=""),
        record(status="x" * 65),
        record(event_time="yesterday"),
        record(event_time=""),
        record(event_time="2026-01-25T12:00:00"),
        record(event_time="0001-01-01T00:00:00+10:00"),
    ],
    ids=str,
)
def test_a_malformed_record_counts_nothing(malformed):
    assert counters_for_change(change(None, malformed)) == {}
    assert counters_for_change(change(malformed, record())) == {DAY: {"status#Completed": 1}}
    assert counters_for_change(change(record(), malformed)) == {DAY: {"status#Completed": -1}}


@pytest.mark.parametrize("received_at", ["", "soon", "2026-01-25T12:00:00"])
def test_a_result_with_a_malformed_received_at_still_counts_by_status(received_at):
    assert counters_for_change(change(None, record(received_at=received_at))) == {
        DAY: {"status#Completed": 1}
    }


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_result_of_any_year_counts(day):
    store = FakeCounters()
    count_into(store)("shard", [change(None, record(event_time=f"{day}T12:00:00.000Z"))])
    assert store.of_day(EndpointDay("here", day)) == {"status#Completed": 1}


def count_into(counters, now=NOW):
    return CountResults(counters=counters, retention=timedelta(days=90), now=lambda: now)


def test_a_day_is_kept_for_the_retention_after_its_end():
    store = FakeCounters()
    count_into(store)("shard", [change(None, record())])
    (update,) = store.updates
    assert update.expires_at == 1_777_161_600  # 2026-04-26, midnight: 90 days after the 26th


def test_many_results_of_an_endpoint_and_day_are_one_update():
    store = FakeCounters()
    changes = [change(None, record(), f"{number:03}") for number in range(200)]
    count_into(store)("shard", changes)
    (update,) = store.updates
    assert update.counters == {"status#Completed": 200}
    assert (update.first_sequence, update.last_sequence) == (f"{0:040}", f"{199:040}")


def test_changes_that_add_nothing_cause_no_update():
    store = FakeCounters()
    count_into(store)("shard", [change(record(), record()), change(record(), None)])
    count_into(store)("shard", [])
    assert store.updates == []


def test_updates_are_split_to_fit_in_an_expression():
    store = FakeCounters()
    changes = [change(None, record(f"status {number}"), f"{number:03}") for number in range(600)]
    count_into(store)("shard", changes)
    assert [len(each.counters) for each in store.updates] == [250, 250, 100]
    assert sum(store.of_day().values()) == 600


def test_the_rest_of_a_partly_counted_batch_is_counted():
    """Lambda can cut the stream differently when it retries."""
    store = FakeCounters()
    first, second = (change(None, record(), sequence) for sequence in ("1", "2"))
    count_into(store)("shard", [first])
    count_into(store)("shard", [first, second])
    assert store.of_day() == {"status#Completed": 2}


def test_a_change_that_cancels_a_counted_one_is_counted():
    """Together they add nothing, but the first one was counted before."""
    store = FakeCounters()
    added, removed = change(None, record(), "1"), change(record(), record("InProgress"), "2")
    count_into(store)("shard", [added])
    count_into(store)("shard", [added, removed])
    assert store.of_day() == {}


def test_each_writer_has_separate_counters():
    store = FakeCounters()
    for writer in ("one", "two"):
        count_into(store)(writer, [change(None, record())])
    assert store.of_day(writer="one") == store.of_day(writer="two") == {"status#Completed": 1}


RECORDS = st.builds(
    record,
    status=st.sampled_from(["InProgress", "Completed", "Failed", "Preempted"]),
    event_time=st.sampled_from([NOON, "2026-01-26T00:00:00.000Z", "never"]),
    endpoint_name=st.sampled_from(["here", "there"]),
    received_at=st.sampled_from([NOON, "2026-01-25T11:00:00.000Z", "2026-01-27T00:00:00.000Z"]),
)


@given(st.data(), st.lists(st.tuples(st.integers(0, 3), RECORDS), min_size=1, max_size=30))
def test_any_batches_and_retries_count_each_change_once(data, writes):
    """Lambda retries changes, in other batches, but skips none."""
    records, changes = {}, []
    for number, (key, after) in enumerate(writes):
        after = after | {"endpoint_name": records.get(key, after)["endpoint_name"]}
        changes.append(change(records.get(key), after, f"{number:03}"))
        records[key] = after
    one_by_one, in_batches = FakeCounters(), FakeCounters()
    for each in changes:
        count_into(one_by_one)("shard", [each])
    position = delivered = 0
    while delivered < len(changes):
        end = data.draw(st.integers(position + 1, len(changes)))
        count_into(in_batches)("shard", changes[position:end])
        delivered = max(delivered, end)
        position = data.draw(st.integers(0, delivered)) if end < len(changes) else delivered
    days = {day for day, _ in one_by_one.counters} | {day for day, _ in in_batches.counters}
    assert {day: in_batches.of_day(day) for day in days} == {
        day: one_by_one.of_day(day) for day in days
    }
    current = Counter(
        name
        for each in records.values()
        for counters in counters_for_change(change(None, each)).values()
        for name in counters
    )
    assert sum((Counter(one_by_one.of_day(day)) for day in days), Counter()) == current


# Changes that Lambda gave up


def results(*sequences, made=MADE, endpoint="here"):
    after = record() | {"endpoint_name": endpoint}
    return [change(None, after, sequence, made) for sequence in sequences]


def test_redriven_changes_are_counted_once():
    store = FakeCounters()
    count_into(store)("shard", results("1"))
    later = NOW + timedelta(hours=STREAM_RETRY_HOURS)
    count_into(store, later)("shard", results("4", made=int(later.timestamp())))
    for _ in range(2):
        count_into(store, later).count_redriven("shard", "shard-redriven-2", results("2"))
        count_into(store, later).count_redriven("shard", "shard-redriven-2", results("3"))
    assert store.total() == {(DAY, "status#Completed"): 4}


def test_the_counted_part_of_a_given_up_batch_is_not_counted_again():
    """Of the batch 1 to 4, one endpoint was counted and the other was not. Then both continue."""
    store = FakeCounters(calls_until_error=1)
    batch = [*results("1", "2"), *results("3", "4", endpoint="there")]
    with pytest.raises(Unavailable):
        count_into(store)("shard", batch)
    store.calls_until_error = None
    later = NOW + timedelta(hours=STREAM_RETRY_HOURS)
    now = int(later.timestamp())
    following = [*results("5", made=now), *results("6", made=now, endpoint="there")]
    count_into(store, later)("shard", following)
    count_into(store, later).count_redriven("shard", "shard-redriven-1", batch)
    there = EndpointDay("there", DAY.day)
    assert store.total() == {(DAY, "status#Completed"): 3, (there, "status#Completed"): 3}


def test_a_redriven_first_result_of_an_endpoint_is_counted():
    store = FakeCounters()
    later = NOW + timedelta(hours=STREAM_RETRY_HOURS)
    count_into(store, later)("shard", results("2", made=int(later.timestamp())))
    count_into(store, later).count_redriven("shard", "shard-redriven-1", results("1"))
    assert store.total() == {(DAY, "status#Completed"): 2}


def test_batches_in_quick_succession_leave_no_gap():
    store = FakeCounters()
    for hours in range(0, 48, STREAM_RETRY_HOURS - 2):
        now = NOW + timedelta(hours=hours)
        count_into(store, now)("shard", results(f"{hours:03}", made=int(now.timestamp())))
    assert store.ranges[DAY, "shard"].gaps == ()


class Lambda:
    """Delivers changes as Lambda does: retries after errors, halves batches, gives up old ones."""

    def __init__(self, data, changes):
        self.data, self.changes = data, changes
        self.store = FakeCounters()
        self.now = NOW
        self.given_up = []

    def deliver_all(self):
        position = 0
        while position < len(self.changes):
            self._advance_to(self.changes[position].made_at)
            end = self.data.draw(st.integers(position + 1, len(self.changes)), label="batch")
            self._advance_to(self.changes[end - 1].made_at)
            self._deliver(self.changes[position:end])
            position = end
            self.redrive_some()

    def _deliver(self, batch):
        while not self._call(lambda count_results: count_results("shard", batch)):
            match self.data.draw(st.sampled_from(["retry", "halve", "give up"]), label="then"):
                case "halve" if len(batch) > 1:
                    middle = len(batch) // 2
                    self._deliver(batch[:middle])
                    self._deliver(batch[middle:])
                    return
                case "give up":
                    self._advance_to(batch[0].made_at + STREAM_RETRY_HOURS * 3600)
                    self.given_up.append(batch)
                    return

    def redrive_some(self):
        for batch in self.given_up:
            if self.data.draw(st.booleans(), label="redrive"):
                self._redrive(batch)

    def redrive_all(self):
        self.store.calls_until_error = None
        for batch in self.data.draw(st.permutations(self.given_up), label="order"):
            for each in batch:
                self._count_results().count_redriven("shard", self._writer(batch), [each])

    def _redrive(self, batch):
        """Redrive chunks from the start, until an error."""
        position = 0
        while position < len(batch):
            end = self.data.draw(st.integers(position + 1, len(batch)), label="chunk")
            chunk = batch[position:end]
            if not self._call(
                lambda count_results, chunk=chunk: count_results.count_redriven(
                    "shard", self._writer(batch), chunk
                )
            ):
                return
            position = end

    def _call(self, call):
        calls = self.data.draw(st.none() | st.integers(0, 2), label="calls until error")
        self.store.calls_until_error = calls
        try:
            call(self._count_results())
        except Unavailable:
            return False
        return True

    def _count_results(self):
        return count_into(self.store, self.now)

    def _writer(self, batch):
        return f"shard-redriven-{batch[0].sequence}"

    def _advance_to(self, seconds):
        self.now = max(self.now, datetime.fromtimestamp(seconds, UTC))


@given(
    st.data(),
    st.lists(
        st.tuples(st.integers(0, 3), RECORDS, st.integers(0, 14 * 3600)), min_size=1, max_size=12
    ),
)
def test_any_given_up_and_redriven_batches_count_each_change_once(data, writes):
    records, changes, made = {}, [], MADE
    for number, (key, after, seconds) in enumerate(writes):
        made += seconds
        after = after | {"endpoint_name": records.get(key, after)["endpoint_name"]}
        changes.append(change(records.get(key), after, f"{number:03}", made))
        records[key] = after
    lambda_ = Lambda(data, changes)
    lambda_.deliver_all()
    lambda_.redrive_all()
    expected = FakeCounters()
    for each in changes:
        count_into(expected)("shard", [each])
    assert lambda_.store.total() == expected.total()
