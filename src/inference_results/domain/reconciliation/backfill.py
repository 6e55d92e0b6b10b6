"""The use cases: which outputs does no record point to, and they are recorded.

Of an object S3 tells where it is, how large, and when it was written: neither an id nor an endpoint
nor a request. Objects are examined in the order of their keys, and answered in it, so that the last
one that was answered is a place to go on from.
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

AHEAD: Final = 64
"""Objects that are examined before the first of them is settled, at most."""

_ID_PREFIX: Final = "backfill-"
_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as a listing tells it; `size` is in bytes, `etag` in quotes as S3 gives it."""

    location: Location
    size: int
    etag: str
    last_modified: datetime


class ObjectStatus(StrEnum):
    """What an examined object is."""

    UNRECORDED = "unrecorded"
    RECORDED = "recorded"
    """By this backfill."""
    KNOWN = "already_recorded"
    SKIPPED = "skipped"
    """Written at another time, a folder's placeholder, or where no output may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedObject:
    """An object, and what was found of it."""

    stored: StoredObject
    finding: ObjectStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillScope:
    """Which objects are meant: written from `since` on and before `until`, after a key.

    It ends with the first `limit` of them that no record points to.
    """

    prefix: Location
    since: datetime
    until: datetime
    start_after: str | None = None
    limit: int | None = None


class StoredObjects(Protocol):
    """S3, as it is listed."""

    def pages(self, prefix: Location, start_after: str | None) -> Iterator[Sequence[StoredObject]]:
        """Objects in the order of their keys, each page read when it is wanted.

        Raises Unavailable.
        """


class Results(Protocol):
    """The table, as it is written."""

    def record(self, outcome: Result) -> Disposition:
        """RECORDED if the outcome wins, else DUPLICATE or SUPERSEDED. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindUnrecordedOutputs:
    """Examines objects and writes nothing."""

    objects: StoredObjects

    def __call__(self, extent: BackfillScope, known: KnownLocations) -> Iterator[ExaminedObject]:
        """Every object of the extent; raises Unavailable."""
        left = extent.limit
        for page in self.objects.pages(extent.prefix, extent.start_after):
            for stored in page:
                finding = _finding(stored, extent, known)
                yield ExaminedObject(stored=stored, finding=finding)
                if left is not None and finding is ObjectStatus.UNRECORDED:
                    left -= 1
                    if left == 0:
                        return


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutputs:
    """Records what was found, side by side on `pool`.

    The id follows from the location: to record an object again changes nothing.
    """

    outcomes: Results
    pool: Executor
    patience: RetryUnavailable
    endpoint_name: str
    retention: timedelta
    now: Callable[[], datetime]

    def __call__(self, examined: Iterable[ExaminedObject]) -> Iterator[ExaminedObject]:
        """The same objects in the same order, each when it is settled. Raises Unavailable."""
        begun = deque[tuple[ExaminedObject, Future[ObjectStatus] | None]]()
        try:
            for each in examined:
                begun.append((each, self._begin(each)))
                if len(begun) == AHEAD:
                    yield _settled(*begun.popleft())
            while begun:
                yield _settled(*begun.popleft())
        finally:
            for _, writing in begun:
                if writing:
                    writing.cancel()

    def _begin(self, examined: ExaminedObject) -> Future[ObjectStatus] | None:
        if examined.finding is not ObjectStatus.UNRECORDED:
            return None
        return self.pool.submit(self._record, examined.stored)

    def _record(self, stored: StoredObject) -> ObjectStatus:
        outcome = self._outcome(stored)
        disposition = self.patience(partial(self.outcomes.record, outcome))
        return ObjectStatus.RECORDED if disposition is Disposition.RECORDED else ObjectStatus.KNOWN

    def _outcome(self, stored: StoredObject) -> Result:
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
    """The inference id of an output whose own id is not known: always the same for a location."""
    digest = hashlib.sha256(location.uri.encode()).hexdigest()
    return _ID_PREFIX + digest[:_ID_DIGITS]


def _finding(stored: StoredObject, extent: BackfillScope, known: KnownLocations) -> ObjectStatus:
    if not (extent.since <= stored.last_modified < extent.until and _is_output(stored, extent)):
        return ObjectStatus.SKIPPED
    return ObjectStatus.KNOWN if stored.location in known else ObjectStatus.UNRECORDED


def _is_output(stored: StoredObject, extent: BackfillScope) -> bool:
    if stored.location.key.endswith("/") and stored.size == 0:
        return False
    try:
        # What a notification could not name as its output is none here either.
        allowed_location(stored.location.uri, (extent.prefix.uri,))
    except LocationRejected:
        return False
    return True


def _settled(examined: ExaminedObject, writing: Future[ObjectStatus] | None) -> ExaminedObject:
    return examined if writing is None else replace(examined, finding=writing.result())
