"""A list that goes on: new records are shown as they come.

Records come into the list late and in any order: each look begins some time before the newest
record so far, and what was shown in it is remembered. So memory holds the records of one such
stretch, however long it goes on.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from inference_results.cli.terminal import complain
from inference_results.client import Client
from inference_results.client.errors import ServiceUnavailable
from inference_results.client.records import Inference

LATENESS: Final = timedelta(minutes=2)
"""How much later than its own time a record may come and is not missed."""

PAGE_SIZE: Final = 200

_Key = tuple[str, str, str, datetime | None]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class Follower:
    """The records of a list, oldest first, without an end: first the last `limit`, then new ones.

    A record comes again when its status or its time has changed, and only then.
    """

    client: Client
    endpoint: str | None
    status: str | None
    since: datetime | None
    limit: int
    pause_seconds: float
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    _newest: datetime | None = None
    _seen: set[_Key] = field(default_factory=set)
    _seen_before: set[_Key] = field(default_factory=set)

    def __iter__(self) -> Iterator[Inference]:
        yield from self._so_far()
        while True:
            self.sleep(self.pause_seconds)
            try:
                new = self._new()
            except ServiceUnavailable as error:
                complain(f"{error}; trying again")
                continue
            yield from new

    def _so_far(self) -> list[Inference]:
        self._remember_newest(islice(self._list(self.since), 1))
        # The stretch first: what comes between the two questions is then shown, and only once.
        self._new()
        last = list(islice(self._list(self.since), self.limit)) if self.limit else []
        self._seen.update(map(_key, last))
        return last[::-1]

    def _new(self) -> list[Inference]:
        found = list(self._list(self._begin()))
        self._remember_newest(found)
        known = self._seen | self._seen_before
        # Two looks, as an index may for a moment answer with what it held before.
        self._seen_before, self._seen = self._seen, set(map(_key, found))
        return [each for each in reversed(found) if _key(each) not in known]

    def _begin(self) -> datetime | None:
        """Where a look begins. Before the first record everything is new."""
        if self._newest is None:
            return self.since
        # The clock here may be ahead of the records', and a record's time wrong by years.
        begin = min(self._newest, self.now()) - LATENESS
        return max(begin, self.since) if self.since else begin

    def _remember_newest(self, found: Iterable[Inference]) -> None:
        times = (each.event_time for each in found)
        self._newest = max(filter(None, (self._newest, *times)), default=None)

    def _list(self, since: datetime | None) -> Iterator[Inference]:
        return self.client.list(
            endpoint=self.endpoint, status=self.status, since=since, page_size=PAGE_SIZE
        )


def _key(inference: Inference) -> _Key:
    return (
        inference.endpoint_name,
        inference.inference_id,
        inference.status,
        inference.event_time or inference.submitted_at,
    )
