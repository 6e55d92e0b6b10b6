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
class FakeCounts:
    """A table of summaries: counters and last sequence by endpoint, day and writer."""

    counters: dict[tuple[EndpointDay, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    included: dict[tuple[EndpointDay, str], CountedRange] = field(default_factory=dict)
    began: dict[tuple[EndpointDay, str], int] = field(default_factory=dict)
    additions: list = field(default_factory=list)
    calls_until_trouble: int | None = None

    def add(self, addition):
        if self.calls_until_trouble is not None:
            self.calls_until_trouble -= 1
            if self.calls_until_trouble < 0:
                raise Unavailable("dynamodb", "ThrottlingException")
        self.additions.append(addition)
        key = (addition.of, addition.writer)
        first, last = addition.first_sequence, addition.last_sequence
        if before := self.included.get(key):
            if before.last >= first:
                return before.last
            first = before.first
        gaps = before.gaps if before else ()
        if before and self.began[key] < addition.sure_since:
            gaps = (*gaps, (before.last, addition.first_sequence))
        self.counters[key].update(addition.counters)
        self.included[key] = CountedRange(first=first, last=last, gaps=gaps)
        self.began[key] = addition.began
        return last

    def counted(self, of, writer):
        return self.included.get((of, writer))

    def total(self):
        total = Counter()
        for (day, _), counters in self.counters.items():
            for name, n in counters.items():
                total[day, name] += n
        return {each: n for each, n in total.items() if n}

    def of(self, day=DAY, writer="shard"):
        return {name: n for name, n in self.counters[day, writer].items() if n}


def record(status="Completed", event_time=NOON, **more):
    return {"endpoint_name": "here", "status": status, "event_time": event_time, **more}


def change(before, after, sequence="1", made=MADE):
    return Change(sequence=sequence.zfill(40), made_at=made, before=before, after=after)


def test_a_new_result_counts_by_its_status_and_its_latency():
    result = record(received_at="2026-01-25T11:59:50.000Z")
    assert counters_for_change(change(None, result)) == {
        DAY: {"status#Completed": 1, "latency#93": 1}
    }


def test_a_result_without_a_time_of_receipt_counts_by_its_status_only():
    assert counters_for_change(change(None, record("Failed"))) == {DAY: {"status#Failed": 1}}


def test_an_unknown_status_counts_as_it_is():
    assert counters_for_change(change(None, record("Pre#empted: 50 %"))) == {
        DAY: {"status#Pre#empted: 50 %": 1}
    }


def test_what_replaces_a_result_takes_away_what_that_one_counted():
    before = record("Failed", received_at="2026-01-25T11:59:59.000Z")
    after = record(received_at="2026-01-25T11:59:50.000Z")
    assert counters_for_change(change(before, after)) == {
        DAY: {"status#Failed": -1, "status#Completed": 1, "latency#70": -1, "latency#93": 1}
    }


def test_a_result_of_another_day_moves_there():
    after = record(event_time="2026-01-26T00:00:00.000Z")
    assert counters_for_change(change(record(), after)) == {
        DAY: {"status#Completed": -1},
        EndpointDay("here", "2026-01-26"): {"status#Completed": 1},
    }


def test_the_day_is_that_of_utc():
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
def test_what_is_no_new_result_adds_nothing(before, after):
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
def test_a_malformed_record_counts_nothing_and_stops_nothing(malformed):
    assert counters_for_change(change(None, malformed)) == {}
    assert counters_for_change(change(malformed, record())) == {DAY: {"status#Completed": 1}}
    assert counters_for_change(change(record(), malformed)) == {DAY: {"status#Completed": -1}}


@pytest.mark.parametrize("received_at", ["", "soon", "2026-01-25T12:00:00"])
def test_a_malformed_time_of_receipt_leaves_the_status_counted(received_at):
    assert counters_for_change(change(None, record(received_at=received_at))) == {
        DAY: {"status#Completed": 1}
    }


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_result_of_any_year_counts(day):
    counts = FakeCounts()
    counted(counts)("shard", [change(None, record(event_time=f"{day}T12:00:00.000Z"))])
    assert counts.of(EndpointDay("here", day)) == {"status#Completed": 1}


def counted(counts, now=NOW):
    return CountResults(counts=counts, retention=timedelta(days=90), now=lambda: now)


def test_a_day_is_kept_for_the_retention_after_its_end():
    counts = FakeCounts()
    counted(counts)("shard", [change(None, record())])
    (addition,) = counts.additions
    assert addition.expires_at == 1_777_161_600  # 2026-04-26, midnight: 90 days after the 26th


def test_many_results_of_an_endpoint_and_day_are_one_addition():
    counts = FakeCounts()
    changes = [change(None, record(), f"{number:03}") for number in range(200)]
    counted(counts)("shard", changes)
    (addition,) = counts.additions
    assert addition.counters == {"status#Completed": 200}
    assert (addition.first_sequence, addition.last_sequence) == (f"{0:040}", f"{199:040}")


def test_changes_that_add_nothing_cause_no_addition():
    counts = FakeCounts()
    counted(counts)("shard", [change(record(), record()), change(record(), None)])
    counted(counts)("shard", [])
    assert counts.additions == []


def test_no_addition_has_more_counters_than_an_expression_has_room_for():
    counts = FakeCounts()
    changes = [change(None, record(f"status {number}"), f"{number:03}") for number in range(600)]
    counted(counts)("shard", changes)
    assert [len(each.counters) for each in counts.additions] == [250, 250, 100]
    assert sum(counts.of().values()) == 600


def test_a_batch_that_was_counted_in_part_is_counted_for_the_rest():
    """Lambda may cut the stream in another way when it tells it again."""
    counts = FakeCounts()
    first, second = (change(None, record(), sequence) for sequence in ("1", "2"))
    counted(counts)("shard", [first])
    counted(counts)("shard", [first, second])
    assert counts.of() == {"status#Completed": 2}


def test_a_rest_that_cancels_what_was_counted_is_counted_too():
    """Together they add nothing; but the first was added before."""
    counts = FakeCounts()
    came, went = change(None, record(), "1"), change(record(), record("InProgress"), "2")
    counted(counts)("shard", [came])
    counted(counts)("shard", [came, went])
    assert counts.of() == {}


def test_each_writer_has_counters_of_its_own():
    counts = FakeCounts()
    for writer in ("one", "two"):
        counted(counts)(writer, [change(None, record())])
    assert counts.of(writer="one") == counts.of(writer="two") == {"status#Completed": 1}


OUTCOMES = st.builds(
    record,
    status=st.sampled_from(["InProgress", "Completed", "Failed", "Preempted"]),
    event_time=st.sampled_from([NOON, "2026-01-26T00:00:00.000Z", "never"]),
    endpoint_name=st.sampled_from(["here", "there"]),
    received_at=st.sampled_from([NOON, "2026-01-25T11:00:00.000Z", "2026-01-27T00:00:00.000Z"]),
)


@given(st.data(), st.lists(st.tuples(st.integers(0, 3), OUTCOMES), min_size=1, max_size=30))
def test_any_batches_and_any_repetition_count_each_change_once(data, writes):
    """Lambda goes back to what it did not acknowledge, and cuts it anew; it skips nothing."""
    records, changes = {}, []
    for number, (key, after) in enumerate(writes):
        after = after | {"endpoint_name": records.get(key, after)["endpoint_name"]}
        changes.append(change(records.get(key), after, f"{number:03}"))
        records[key] = after
    at_once, in_pieces = FakeCounts(), FakeCounts()
    for each in changes:
        counted(at_once)("shard", [each])
    position = told = 0
    while told < len(changes):
        end = data.draw(st.integers(position + 1, len(changes)))
        counted(in_pieces)("shard", changes[position:end])
        told = max(told, end)
        position = data.draw(st.integers(0, told)) if end < len(changes) else told
    days = {day for day, _ in at_once.counters} | {day for day, _ in in_pieces.counters}
    assert {day: in_pieces.of(day) for day in days} == {day: at_once.of(day) for day in days}
    standing = Counter(
        name
        for each in records.values()
        for counters in counters_for_change(change(None, each)).values()
        for name in counters
    )
    assert sum((Counter(at_once.of(day)) for day in days), Counter()) == standing


# What Lambda gave up


def results(*sequences, made=MADE, endpoint="here"):
    after = record() | {"endpoint_name": endpoint}
    return [change(None, after, sequence, made) for sequence in sequences]


def test_what_was_given_up_is_counted_once_however_often_it_is_redriven():
    counts = FakeCounts()
    counted(counts)("shard", results("1"))
    later = NOW + timedelta(hours=STREAM_RETRY_HOURS)
    counted(counts, later)("shard", results("4", made=int(later.timestamp())))
    for _ in range(2):
        counted(counts, later).given_up("shard", "shard-redriven-2", results("2"))
        counted(counts, later).given_up("shard", "shard-redriven-2", results("3"))
    assert counts.total() == {(DAY, "status#Completed"): 4}


def test_what_was_counted_of_a_part_before_it_was_given_up_does_not_count_again():
    """Of the batch 1 to 4 the first endpoint was counted, the second was not. Then both go on."""
    counts = FakeCounts(calls_until_trouble=1)
    part = [*results("1", "2"), *results("3", "4", endpoint="there")]
    with pytest.raises(Unavailable):
        counted(counts)("shard", part)
    counts.calls_until_trouble = None
    later = NOW + timedelta(hours=STREAM_RETRY_HOURS)
    now = int(later.timestamp())
    behind = [*results("5", made=now), *results("6", made=now, endpoint="there")]
    counted(counts, later)("shard", behind)
    counted(counts, later).given_up("shard", "shard-redriven-1", part)
    there = EndpointDay("there", DAY.day)
    assert counts.total() == {(DAY, "status#Completed"): 3, (there, "status#Completed"): 3}


def test_an_endpoint_whose_first_result_was_given_up_has_it_after_all():
    counts = FakeCounts()
    later = NOW + timedelta(hours=STREAM_RETRY_HOURS)
    counted(counts, later)("shard", results("2", made=int(later.timestamp())))
    counted(counts, later).given_up("shard", "shard-redriven-1", results("1"))
    assert counts.total() == {(DAY, "status#Completed"): 2}


def test_batches_in_close_order_note_no_gap():
    counts = FakeCounts()
    for hours in range(0, 48, STREAM_RETRY_HOURS - 2):
        now = NOW + timedelta(hours=hours)
        counted(counts, now)("shard", results(f"{hours:03}", made=int(now.timestamp())))
    assert counts.included[DAY, "shard"].gaps == ()


class Lambda:
    """Tells changes as Lambda does: again after an error, halved at will, given up by age."""

    def __init__(self, data, changes):
        self.data, self.changes = data, changes
        self.counts = FakeCounts()
        self.now = NOW
        self.given_up = []

    def tell_all(self):
        position = 0
        while position < len(self.changes):
            self._pass_time_to(self.changes[position].made_at)
            end = self.data.draw(st.integers(position + 1, len(self.changes)), label="batch")
            self._pass_time_to(self.changes[end - 1].made_at)
            self._settle(self.changes[position:end])
            position = end
            self.redrive_some()

    def _settle(self, batch):
        while not self._tell(lambda count: count("shard", batch)):
            match self.data.draw(st.sampled_from(["again", "halve", "give up"]), label="then"):
                case "halve" if len(batch) > 1:
                    middle = len(batch) // 2
                    self._settle(batch[:middle])
                    self._settle(batch[middle:])
                    return
                case "give up":
                    self._pass_time_to(batch[0].made + STREAM_RETRY_HOURS * 3600)
                    self.given_up.append(batch)
                    return

    def redrive_some(self):
        for part in self.given_up:
            if self.data.draw(st.booleans(), label="redrive"):
                self._redrive(part)

    def redrive_all(self):
        self.counts.calls_until_trouble = None
        for part in self.data.draw(st.permutations(self.given_up), label="order"):
            for each in part:
                self._count().given_up("shard", self._writer(part), [each])

    def _redrive(self, part):
        """In chunks, from its beginning, and perhaps not to its end."""
        position = 0
        while position < len(part):
            end = self.data.draw(st.integers(position + 1, len(part)), label="chunk")
            chunk = part[position:end]
            if not self._tell(
                lambda count, it=chunk: count.given_up("shard", self._writer(part), it)
            ):
                return
            position = end

    def _tell(self, call):
        trouble = self.data.draw(st.none() | st.integers(0, 2), label="calls until trouble")
        self.counts.calls_until_trouble = trouble
        try:
            call(self._count())
        except Unavailable:
            return False
        return True

    def _count(self):
        return counted(self.counts, self.now)

    def _writer(self, part):
        return f"shard-redriven-{part[0].sequence}"

    def _pass_time_to(self, seconds):
        self.now = max(self.now, datetime.fromtimestamp(seconds, UTC))


@given(
    st.data(),
    st.lists(
        st.tuples(st.integers(0, 3), OUTCOMES, st.integers(0, 14 * 3600)), min_size=1, max_size=12
    ),
)
def test_whatever_is_given_up_and_redriven_each_change_counts_once(data, writes):
    records, changes, made = {}, [], MADE
    for number, (key, after, pause) in enumerate(writes):
        made += pause
        after = after | {"endpoint_name": records.get(key, after)["endpoint_name"]}
        changes.append(change(records.get(key), after, f"{number:03}", made))
        records[key] = after
    lambda_ = Lambda(data, changes)
    lambda_.tell_all()
    lambda_.redrive_all()
    truth = FakeCounts()
    for each in changes:
        counted(truth)("shard", [each])
    assert lambda_.counts.total() == truth.total()
