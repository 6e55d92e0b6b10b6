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
    MAX_IN_FLIGHT,
    BackfillScope,
    FindUnrecordedOutputs,
    ObjectStatus,
    RecordOutputs,
    StoredObject,
    backfill_id,
)
from inference_results.domain.reconciliation.known_locations import KnownLocations
from inference_results.domain.reconciliation.retry import MAX_ATTEMPTS, RetryUnavailable
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.location import Location
from inference_results.domain.record.result import Output, Source
from tests.support.fakes import NOW, FakeRecords

PREFIX = Location("bucket", "async/")
WRITTEN = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCOPE = BackfillScope(prefix=PREFIX, since=WRITTEN, until=WRITTEN + timedelta(days=1))
PAGE = 1000


def stored(name, **changes):
    values = {"size": 4, "etag": '"etag"', "last_modified": WRITTEN} | changes
    return StoredObject(location=Location("bucket", f"async/{name}"), **values)


@dataclass
class FakeListing:
    """Pages of objects. Counts the pages that are read."""

    objects: list[StoredObject]
    pages_read: int = 0
    calls: list[tuple[Location, str | None]] = field(default_factory=list)

    def pages(self, prefix, start_after):
        self.calls.append((prefix, start_after))
        for first in range(0, len(self.objects), PAGE):
            self.pages_read += 1
            yield self.objects[first : first + PAGE]


@dataclass
class LazyPool:
    """Runs each call when its result is needed. Counts calls in flight and cancelled calls."""

    in_flight: int = 0
    max_in_flight: int = 0
    cancelled: int = 0

    def submit(self, function, *arguments):
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        return _LazyFuture(self, function, arguments)


class _LazyFuture(Future):
    def __init__(self, pool, function, arguments):
        super().__init__()
        self._pool, self._function, self._arguments = pool, function, arguments

    def result(self, timeout=None):
        self._pool.in_flight -= 1
        return self._function(*self._arguments)

    def cancel(self):
        self._pool.cancelled += 1
        return True


def known(*names):
    return KnownLocations(PREFIX, [f"s3://bucket/async/{name}" for name in names])


def statuses(objects, scope=SCOPE, known_locations=None):
    find = FindUnrecordedOutputs(objects=FakeListing(objects))
    examined = find(scope, known_locations or known())
    return [(each.stored.location.key.removeprefix("async/"), each.status) for each in examined]


def recorder(records, pool, **changes):
    options = {
        "retry": RetryUnavailable(sleep=lambda seconds: None),
        "endpoint_name": "-",
        "retention": timedelta(days=90),
        "now": lambda: NOW,
    }
    return RecordOutputs(results=records, pool=pool, **options | changes)


def backfilled(objects, records, pool=None, known_locations=None):
    find = FindUnrecordedOutputs(objects=FakeListing(objects))
    found = find(SCOPE, known_locations or known())
    return [each.status for each in recorder(records, pool or LazyPool())(found)]


# Find unrecorded outputs


def test_an_object_is_known_if_a_record_points_to_it():
    assert statuses([stored("a"), stored("b")], known_locations=known("a")) == [
        ("a", ObjectStatus.KNOWN),
        ("b", ObjectStatus.UNRECORDED),
    ]


@pytest.mark.parametrize(
    ("written", "status"),
    [
        (SCOPE.since - timedelta(seconds=1), ObjectStatus.SKIPPED),
        (SCOPE.since, ObjectStatus.UNRECORDED),
        (SCOPE.until - timedelta(seconds=1), ObjectStatus.UNRECORDED),
        (SCOPE.until, ObjectStatus.SKIPPED),
    ],
)
def test_since_is_inclusive_and_until_is_exclusive(written, status):
    assert statuses([stored("a", last_modified=written)]) == [("a", status)]


@pytest.mark.parametrize(
    ("name", "size", "status"),
    [
        ("folder/", 0, ObjectStatus.SKIPPED),
        ("", 0, ObjectStatus.SKIPPED),
        ("not-empty/", 1, ObjectStatus.UNRECORDED),
        ("empty.out", 0, ObjectStatus.UNRECORDED),
        ("../secret.out", 4, ObjectStatus.SKIPPED),
        ("a..b/c.out", 4, ObjectStatus.UNRECORDED),
    ],
)
def test_folder_placeholders_and_keys_of_no_output_are_skipped(name, size, status):
    assert statuses([stored(name, size=size)]) == [(name, status)]


def test_the_limit_counts_unrecorded_objects():
    objects = [stored(name) for name in "abcde"]
    found = statuses(objects, replace(SCOPE, limit=2), known("a", "c"))
    assert [name for name, _ in found] == ["a", "b", "c", "d"]


def test_the_listing_starts_after_a_key():
    listing = FakeListing([])
    scope = replace(SCOPE, start_after="async/m")
    assert list(FindUnrecordedOutputs(objects=listing)(scope, known())) == []
    assert listing.calls == [(PREFIX, "async/m")]


# Record outputs


def test_an_output_is_recorded_as_completed_at_its_last_modification():
    records = FakeRecords()
    assert backfilled([stored("a b#1%.out")], records) == [ObjectStatus.RECORDED]
    (result,) = records.results.values()
    assert result.inference_id == backfill_id(Location("bucket", "async/a b#1%.out"))
    assert (result.endpoint_name, result.status) == ("-", "Completed")
    assert result.source is Source.BACKFILL
    assert result.event_time == "2026-01-01T12:00:00.000Z"
    assert result.recorded_at == "2026-01-25T12:00:00.000Z"
    assert result.expires_at == int(NOW.timestamp()) + 90 * 24 * 3600
    assert result.output == Output(
        location="s3://bucket/async/a b#1%.out",
        bucket="bucket",
        key="async/a b#1%.out",
        etag='"etag"',
        size=4,
    )


def test_a_second_run_changes_nothing():
    records = FakeRecords()
    backfilled([stored("a")], records)
    before = dict(records.results)
    assert backfilled([stored("a")], records) == [ObjectStatus.KNOWN]
    assert records.results == before


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(keys=st.sets(KEYS, min_size=1, max_size=5))
def test_every_key_has_its_own_valid_id(keys):
    ids = {key: backfill_id(Location("bucket", key)) for key in keys}
    assert len(set(ids.values())) == len(keys)
    assert all(re.fullmatch("backfill-[0-9a-f]{32}", each) for each in ids.values())
    assert ids == {key: backfill_id(Location("bucket", key)) for key in keys}


def test_the_id_of_a_location_is_stable():
    """Otherwise an upgrade would record every output again."""
    assert backfill_id(Location("bucket", "key")) == "backfill-558ca1533e03aaea2e3fb825be29124c"


def test_objects_are_recorded_and_in_key_order_with_many_threads():
    objects = [stored(f"{number:04}") for number in range(500)]
    records = FakeRecords()
    with ThreadPoolExecutor(16) as pool:
        find = FindUnrecordedOutputs(objects=FakeListing(objects))
        examined = list(recorder(records, pool)(find(SCOPE, known("0007"))))
    assert [each.stored for each in examined] == objects
    assert [each.status for each in examined].count(ObjectStatus.RECORDED) == 499
    assert len(records.results) == 499


class Throttling(FakeRecords):
    """Throttles a number of calls, then records."""

    def __init__(self, times):
        super().__init__()
        self.remaining = times
        self.lock = Lock()

    def record(self, result):
        with self.lock:
            self.remaining -= 1
            if self.remaining >= 0:
                raise Unavailable("dynamodb", "ThrottlingException")
        return super().record(result)


def test_a_throttled_write_is_retried():
    assert backfilled([stored("a")], Throttling(MAX_ATTEMPTS - 1)) == [ObjectStatus.RECORDED]


def test_a_write_that_keeps_failing_stops_the_backfill():
    records, pool = Throttling(10_000), LazyPool()
    find = FindUnrecordedOutputs(objects=FakeListing([stored(name) for name in "abcdef"]))
    yielded = []
    with pytest.raises(Unavailable):
        yielded.extend(
            each.stored.location.key
            for each in recorder(records, pool)(find(SCOPE, known("a", "b")))
        )
    assert yielded == ["async/a", "async/b"]
    assert pool.cancelled == 3
    assert records.results == {}


def test_closing_the_iterator_cancels_pending_writes():
    pool = LazyPool()
    find = FindUnrecordedOutputs(objects=FakeListing([stored(f"{n:03}") for n in range(200)]))
    examined = recorder(FakeRecords(), pool)(find(SCOPE, known()))
    assert len(list(islice(examined, 10))) == 10
    examined.close()
    assert pool.cancelled == MAX_IN_FLIGHT - 1


def test_pages_are_read_on_demand_and_few_objects_are_in_flight():
    listing = FakeListing([stored(f"{number:05}") for number in range(10_000)])
    pool, records = LazyPool(), FakeRecords()
    examined = recorder(records, pool)(FindUnrecordedOutputs(objects=listing)(SCOPE, known()))
    for number, _ in enumerate(examined, 1):
        assert listing.pages_read <= (number + MAX_IN_FLIGHT) // PAGE + 1
    assert (number, listing.pages_read, pool.max_in_flight) == (10_000, 10, MAX_IN_FLIGHT)
    assert len(records.results) == 10_000
