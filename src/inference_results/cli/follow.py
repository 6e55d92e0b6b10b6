"""Follow a list: yield new records as they arrive.

Records arrive late and out of order. Each query starts `LOOKBACK` before the newest record so far,
and records that the last two queries returned are skipped. Memory holds the records of that window,
however long the list is followed.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from inference_results.cli.terminal import print_error
from inference_results.client import Client
from inference_results.client.errors import ServiceUnavailable
from inference_results.client.records import Inference

LOOKBACK: Final = timedelta(minutes=2)
"""A record that arrives later than this after its own time can be missed."""

PAGE_SIZE: Final = 200

_Key = tuple[str, str, str, datetime | None]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class Follower:
    """Yields the last `limit` records, oldest first, and then new ones, without end.

    A record is yielded again only when its status or its time changes.
    """

    client: Client
    endpoint: str | None
    status: str | None
    since: datetime | None
    limit: int
    interval_seconds: float
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    _newest: datetime | None = None
    _last_window: set[_Key] = field(default_factory=set)
    _window_before: set[_Key] = field(default_factory=set)

    def __iter__(self) -> Iterator[Inference]:
        yield from self._existing_records()
        while True:
            self.sleep(self.interval_seconds)
            try:
                new = self._new_records()
            except ServiceUnavailable as error:
                print_error(f"{error}; trying again")
                continue
            yield from new

    def _existing_records(self) -> list[Inference]:
        self._update_newest(islice(self._list(self.since), 1))
        # Query the window first: a record that arrives before the next query is then yielded once.
        self._new_records()
        last = list(islice(self._list(self.since), self.limit)) if self.limit else []
        self._last_window.update(map(_key, last))
        return last[::-1]

    def _new_records(self) -> list[Inference]:
        found = list(self._list(self._window_start()))
        self._update_newest(found)
        known = self._last_window | self._window_before
        # Remember two windows: the index is eventually consistent, and can briefly go back in time.
        self._window_before, self._last_window = self._last_window, set(map(_key, found))
        return [each for each in reversed(found) if _key(each) not in known]

    def _window_start(self) -> datetime | None:
        if self._newest is None:
            return self.since
        # The local clock can be ahead of the records, and a record's time can be years off.
        start = min(self._newest, self.now()) - LOOKBACK
        return max(start, self.since) if self.since else start

    def _update_newest(self, found: Iterable[Inference]) -> None:
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
