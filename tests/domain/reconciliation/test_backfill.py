import re
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.reconciliation.backfill import (
    AHEAD,
    BackfillScope,
    FindUnrecordedOutputs,
    ObjectStatus,
    RecordOutputs,
    StoredObject,
    backfill_id,
)
from inference_results.domain.reconciliation.known_locations import KnownLocations
from inference_results.domain.reconciliation.retry import ATTEMPTS, RetryUnavailable
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.location import Location
from inference_results.domain.record.result import Output, Source
from tests.fakes import NOW, FakeRecords

PREFIX = Location("bucket", "async/")
WRITTEN = datetime(2026, 1, 1, 12, tzinfo=UTC)
EXTENT = BackfillScope(prefix=PREFIX, since=WRITTEN, until=WRITTEN + timedelta(days=1))
PAGE = 1000


def stored(name, **changes):
    values = {"size": 4, "etag": '"etag"', "last_modified": WRITTEN} | changes
    return StoredObject(location=Location("bucket", f"async/{name}"), **values)


@dataclass
class FakeListing:
    """Pages of objects, and how many of them were read."""

    objects: list[StoredObject]
    pages_read: int = 0
    asked: list[tuple[Location, str | None]] = field(default_factory=list)

    def pages(self, prefix, start_after):
        self.asked.append((prefix, start_after))
        for first in range(0, len(self.objects), PAGE):
            self.pages_read += 1
            yield self.objects[first : first + PAGE]


@dataclass
class AtOnce:
    """A pool that does what it is given when the result is asked for; counts what is not done."""

    begun: int = 0
    most: int = 0
    cancelled: int = 0

    def submit(self, function, *arguments):
        self.begun += 1
        self.most = max(self.most, self.begun)
        return _Later(self, function, arguments)


class _Later(Future):
    def __init__(self, pool, function, arguments):
        super().__init__()
        self._pool, self._function, self._arguments = pool, function, arguments

    def result(self, timeout=None):
        self._pool.begun -= 1
        return self._function(*self._arguments)

    def cancel(self):
        self._pool.cancelled += 1
        return True


def known(*names):
    return KnownLocations(PREFIX, [f"s3://bucket/async/{name}" for name in names])


def findings(objects, extent=EXTENT, known_locations=None):
    find = FindUnrecordedOutputs(objects=FakeListing(objects))
    examined = find(extent, known_locations or known())
    return [(each.stored.location.key.removeprefix("async/"), each.finding) for each in examined]


def recorder(records, pool, **changes):
    options = {
        "patience": RetryUnavailable(sleep=lambda seconds: None),
        "endpoint_name": "-",
        "retention": timedelta(days=90),
        "now": lambda: NOW,
    }
    return RecordOutputs(outcomes=records, pool=pool, **options | changes)


def backfilled(objects, records, pool=None, known_locations=None):
    find = FindUnrecordedOutputs(objects=FakeListing(objects))
    found = find(EXTENT, known_locations or known())
    return [each.finding for each in recorder(records, pool or AtOnce())(found)]


# What is found


def test_what_a_record_points_to_is_known_and_the_rest_is_not():
    assert findings([stored("a"), stored("b")], known_locations=known("a")) == [
        ("a", ObjectStatus.KNOWN),
        ("b", ObjectStatus.UNRECORDED),
    ]


@pytest.mark.parametrize(
    ("written", "finding"),
    [
        (EXTENT.since - timedelta(seconds=1), ObjectStatus.SKIPPED),
        (EXTENT.since, ObjectStatus.UNRECORDED),
        (EXTENT.until - timedelta(seconds=1), ObjectStatus.UNRECORDED),
        (EXTENT.until, ObjectStatus.SKIPPED),
    ],
)
def test_since_is_included_and_until_is_not(written, finding):
    assert findings([stored("a", last_modified=written)]) == [("a", finding)]


@pytest.mark.parametrize(
    ("name", "size", "finding"),
    [
        ("folder/", 0, ObjectStatus.SKIPPED),
        ("", 0, ObjectStatus.SKIPPED),
        ("odd/", 1, ObjectStatus.UNRECORDED),
        ("empty.out", 0, ObjectStatus.UNRECORDED),
        ("../secret.out", 4, ObjectStatus.SKIPPED),
        ("a..b/c.out", 4, ObjectStatus.UNRECORDED),
    ],
)
def test_placeholders_of_folders_and_what_no_output_may_be_are_skipped(name, size, finding):
    assert findings([stored(name, size=size)]) == [(name, finding)]


def test_the_limit_counts_what_is_unrecorded_and_ends_with_the_last_of_it():
    objects = [stored(name) for name in "abcde"]
    found = findings(objects, replace(EXTENT, limit=2), known("a", "c"))
    assert [name for name, _ in found] == ["a", "b", "c", "d"]


def test_the_listing_begins_after_a_key():
    listing = FakeListing([])
    extent = replace(EXTENT, start_after="async/m")
    assert list(FindUnrecordedOutputs(objects=listing)(extent, known())) == []
    assert listing.asked == [(PREFIX, "async/m")]


# What is recorded


def test_an_output_is_recorded_as_completed_when_it_was_written_and_marked():
    records = FakeRecords()
    assert backfilled([stored("a b#1%.out")], records) == [ObjectStatus.RECORDED]
    (outcome,) = records.outcomes.values()
    assert outcome.inference_id == backfill_id(Location("bucket", "async/a b#1%.out"))
    assert (outcome.endpoint_name, outcome.status) == ("-", "Completed")
    assert outcome.source is Source.BACKFILL
    assert outcome.event_time == "2026-01-01T12:00:00.000Z"
    assert outcome.recorded_at == "2026-01-25T12:00:00.000Z"
    assert outcome.expires_at == int(NOW.timestamp()) + 90 * 24 * 3600
    assert outcome.output == Output(
        location="s3://bucket/async/a b#1%.out",
        bucket="bucket",
        key="async/a b#1%.out",
        etag='"etag"',
        size=4,
    )


def test_a_second_run_that_knows_nothing_of_the_first_changes_nothing():
    records = FakeRecords()
    backfilled([stored("a")], records)
    before = dict(records.outcomes)
    assert backfilled([stored("a")], records) == [ObjectStatus.KNOWN]
    assert records.outcomes == before


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(keys=st.sets(KEYS, min_size=1, max_size=5))
def test_every_key_has_an_id_of_its_own_that_any_question_takes(keys):
    ids = {key: backfill_id(Location("bucket", key)) for key in keys}
    assert len(set(ids.values())) == len(keys)
    assert all(re.fullmatch("backfill-[0-9a-f]{32}", each) for each in ids.values())
    assert ids == {key: backfill_id(Location("bucket", key)) for key in keys}


def test_the_id_does_not_change_with_the_version():
    """Or an upgrade would record everything a second time."""
    assert backfill_id(Location("bucket", "key")) == "backfill-558ca1533e03aaea2e3fb825be29124c"


def test_objects_come_settled_and_in_the_order_of_their_keys_from_many_threads():
    objects = [stored(f"{number:04}") for number in range(500)]
    records = FakeRecords()
    with ThreadPoolExecutor(16) as pool:
        find = FindUnrecordedOutputs(objects=FakeListing(objects))
        examined = list(recorder(records, pool)(find(EXTENT, known("0007"))))
    assert [each.stored for each in examined] == objects
    assert [each.finding for each in examined].count(ObjectStatus.RECORDED) == 499
    assert len(records.outcomes) == 499


class Throttling(FakeRecords):
    """Refuses so many times, then takes what it is given."""

    def __init__(self, times):
        super().__init__()
        self.left = times
        self.lock = Lock()

    def record(self, outcome):
        with self.lock:
            self.left -= 1
            if self.left >= 0:
                raise Unavailable("dynamodb", "ThrottlingException")
        return super().record(outcome)


def test_a_throttled_write_is_tried_again():
    assert backfilled([stored("a")], Throttling(ATTEMPTS - 1)) == [ObjectStatus.RECORDED]


def test_a_write_that_fails_for_good_ends_it_behind_what_was_settled_before():
    records, pool = Throttling(10_000), AtOnce()
    find = FindUnrecordedOutputs(objects=FakeListing([stored(name) for name in "abcdef"]))
    settled = []
    with pytest.raises(Unavailable):
        settled.extend(
            each.stored.location.key
            for each in recorder(records, pool)(find(EXTENT, known("a", "b")))
        )
    assert pool.cancelled == 3
    assert records.outcomes == {}


def test_who_stops_listening_cancels_what_was_not_begun():
    pool = AtOnce()
    find = FindUnrecordedOutputs(objects=FakeListing([stored(f"{n:03}") for n in range(200)]))
    examined = recorder(FakeRecords(), pool)(find(EXTENT, known()))
    assert len(list(islice(examined, 10))) == 10
    examined.close()
    assert pool.cancelled == AHEAD - 1


def test_of_ten_thousand_objects_pages_are_read_as_they_are_wanted_and_few_are_in_flight():
    listing = FakeListing([stored(f"{number:05}") for number in range(10_000)])
    pool, records = AtOnce(), FakeRecords()
    examined = recorder(records, pool)(FindUnrecordedOutputs(objects=listing)(EXTENT, known()))
    for number, _ in enumerate(examined, 1):
        assert listing.pages_read <= (number + AHEAD) // PAGE + 1
    assert (number, listing.pages_read, pool.most) == (10_000, 10, AHEAD)
    assert len(records.outcomes) == 10_000
