"""Find outputs in S3 that no record points to, and record them.

S3 only knows an object's location, size and last modification, not its inference id, endpoint or
request. Objects are processed in key order, so a backfill can resume after the last key.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from inference_results.contract import Status
from inference_results.domain.reconciliation.known_locations import KnownLocations
from inference_results.domain.reconciliation.retry import RetryUnavailable
from inference_results.domain.record.errors import LocationRejected
from inference_results.domain.record.location import Location, allowed_location
from inference_results.domain.record.order import unnotified_order
from inference_results.domain.record.result import Output, Result, Source
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.ports import Disposition

MAX_IN_FLIGHT: Final = 64
"""Objects that are examined but not yet yielded."""

_ID_PREFIX: Final = "backfill-"
_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object in a listing. `size` is in bytes; `etag` includes S3's quotes."""

    location: Location
    size: int
    etag: str
    last_modified: datetime


class ObjectStatus(StrEnum):
    """Whether an object is recorded."""

    UNRECORDED = "unrecorded"
    RECORDED = "recorded"
    """This backfill recorded it."""
    KNOWN = "already_recorded"
    SKIPPED = "skipped"
    """Outside the time range, a folder placeholder, or a key that no output has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedObject:
    """An object and its status."""

    stored: StoredObject
    status: ObjectStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillScope:
    """The objects to examine: below a prefix, written from `since` (inclusive) to `until`.

    `start_after` is a key. `limit` is the number of unrecorded objects after which to stop.
    """

    prefix: Location
    since: datetime
    until: datetime
    start_after: str | None = None
    limit: int | None = None


class StoredObjects(Protocol):
    """S3 listings."""

    def pages(self, prefix: Location, start_after: str | None) -> Iterator[Sequence[StoredObject]]:
        """List objects in key order. Each page is read when it is needed. Raises Unavailable."""


class Results(Protocol):
    """The inferences table."""

    def record(self, result: Result) -> Disposition:
        """Write a result if it wins: RECORDED, else DUPLICATE or SUPERSEDED. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindUnrecordedOutputs:
    """Examines objects. Writes nothing."""

    objects: StoredObjects

    def __call__(self, scope: BackfillScope, known: KnownLocations) -> Iterator[ExaminedObject]:
        """Yield every listed object with its status. Raises Unavailable."""
        remaining = scope.limit
        for page in self.objects.pages(scope.prefix, scope.start_after):
            for stored in page:
                status = _status(stored, scope, known)
                yield ExaminedObject(stored=stored, status=status)
                if remaining is not None and status is ObjectStatus.UNRECORDED:
                    remaining -= 1
                    if remaining == 0:
                        return


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutputs:
    """Records unrecorded outputs, concurrently on `pool`.

    Ids are derived from locations, so recording an object again changes nothing.
    """

    results: Results
    pool: Executor
    retry: RetryUnavailable
    endpoint_name: str
    retention: timedelta
    now: Callable[[], datetime]

    def __call__(self, examined: Iterable[ExaminedObject]) -> Iterator[ExaminedObject]:
        """Yield the same objects in the same order, once each is recorded. Raises Unavailable."""
        in_flight = deque[tuple[ExaminedObject, Future[ObjectStatus] | None]]()
        try:
            for each in examined:
                in_flight.append((each, self._submit(each)))
                if len(in_flight) == MAX_IN_FLIGHT:
                    yield _completed(*in_flight.popleft())
            while in_flight:
                yield _completed(*in_flight.popleft())
        finally:
            for _, future in in_flight:
                if future:
                    future.cancel()

    def _submit(self, examined: ExaminedObject) -> Future[ObjectStatus] | None:
        if examined.status is not ObjectStatus.UNRECORDED:
            return None
        return self.pool.submit(self._record, examined.stored)

    def _record(self, stored: StoredObject) -> ObjectStatus:
        disposition = self.retry(partial(self.results.record, self._result(stored)))
        return ObjectStatus.RECORDED if disposition is Disposition.RECORDED else ObjectStatus.KNOWN

    def _result(self, stored: StoredObject) -> Result:
        now = self.now()
        event_time = timestamp(stored.last_modified)
        location = stored.location
        return Result(
            inference_id=backfill_id(location),
            endpoint_name=self.endpoint_name,
            status=Status.COMPLETED,
            event_time=event_time,
            event_order=unnotified_order(
                event_time=event_time, status=Status.COMPLETED, location=location.uri
            ),
            recorded_at=timestamp(now),
            expires_at=int((now + self.retention).timestamp()),
            output=Output(
                location=location.uri,
                bucket=location.bucket,
                key=location.key,
                etag=stored.etag,
                size=stored.size,
            ),
            source=Source.BACKFILL,
        )


def backfill_id(location: Location) -> str:
    """The inference id of a backfilled output: always the same for a location."""
    digest = hashlib.sha256(location.uri.encode()).hexdigest()
    return _ID_PREFIX + digest[:_ID_DIGITS]


def _status(stored: StoredObject, scope: BackfillScope, known: KnownLocations) -> ObjectStatus:
    if not (scope.since <= stored.last_modified < scope.until and _is_output(stored, scope)):
        return ObjectStatus.SKIPPED
    return ObjectStatus.KNOWN if stored.location in known else ObjectStatus.UNRECORDED


def _is_output(stored: StoredObject, scope: BackfillScope) -> bool:
    if stored.location.key.endswith("/") and stored.size == 0:
        return False
    try:
        # A notification cannot name an output here either.
        allowed_location(stored.location.uri, (scope.prefix.uri,))
    except LocationRejected:
        return False
    return True


def _completed(examined: ExaminedObject, future: Future[ObjectStatus] | None) -> ExaminedObject:
    return examined if future is None else replace(examined, status=future.result())
