"""Count results by endpoint and day, from the changes of their records.

Counters show the current results: a result that replaces another also subtracts what that one
added. What a change adds follows from the change alone, so it can be delivered any number of times.

See docs/decisions/0007-summaries-from-the-stream.md and
docs/decisions/0018-counting-redriven-changes.md.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from inference_results.contract import STREAM_RETRY_HOURS, Attribute, Status
from inference_results.domain.record.change import Change
from inference_results.domain.record.timestamps import milliseconds_between, parse_timestamp
from inference_results.domain.summaries.latency import bucket_for

STATUS_PREFIX: Final = "status#"
LATENCY_PREFIX: Final = "latency#"

_MAX_COUNTERS: Final = 250
"""Counters in one update: an update expression can have 4 KB."""
_NEVER_GIVEN_UP: Final = timedelta(hours=STREAM_RETRY_HOURS - 1)
"""Lambda gives up no stream batch before this age. One hour of margin: clocks differ."""
_MAX_STATUS_CHARACTERS: Final = 64
"""No notification has a longer status. Limits the names of counters."""


class EndpointDay(NamedTuple):
    """An endpoint and a UTC day (`YYYY-MM-DD`): each has its own counters."""

    endpoint_name: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterUpdate:
    """What consecutive changes add to the counters that one writer keeps for an endpoint's day."""

    endpoint_day: EndpointDay
    writer: str
    first_sequence: str
    last_sequence: str
    counters: Mapping[str, int]
    """Increments by counter name; some are negative."""
    expires_at: int
    oldest_change_at: int
    """When the oldest change of the batch was made, in epoch seconds."""
    complete_since: int
    """Epoch seconds. If the last counted batch is older, Lambda can have given up changes since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRange:
    """The sequences of the changes that a writer's counters include.

    A gap is a pair of sequences: the counters include no change between them.
    """

    first: str
    last: str
    gaps: tuple[tuple[str, str], ...] = ()

    def __contains__(self, sequence: str) -> bool:
        within = self.first <= sequence <= self.last
        return within and not any(after < sequence < before for after, before in self.gaps)


class Counters(Protocol):
    """The summaries table."""

    def add(self, update: CounterUpdate) -> str:
        """Apply an update, unless the counters already include its first change or a later one.

        Adds a gap before the update if the last batch's oldest change was made before
        `complete_since`. Returns the last sequence that the counters include now. Raises
        Unavailable.
        """

    def counted_range(self, endpoint_day: EndpointDay, writer: str) -> CountedRange | None:
        """The changes that a writer's counters include, if any. Raises Unavailable."""


class _Increment(NamedTuple):
    """What one change adds to an endpoint's day."""

    sequence: str
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountResults:
    """Counts changes, in the order of the stream.

    After an exception, count the same changes again. They can be in other batches: none counts
    twice.
    """

    counters: Counters
    retention: timedelta
    """How long to keep a day's counters after its end."""
    now: Callable[[], datetime]

    def __call__(self, writer: str, changes: Sequence[Change]) -> None:
        """Count changes of one shard; `writer` is its id. Raises Unavailable."""
        complete_since = int((self.now() - _NEVER_GIVEN_UP).timestamp())
        for endpoint_day, increments in _increments(changes).items():
            self._add(endpoint_day, writer, increments, _oldest(changes), complete_since)

    def count_redriven(self, shard: str, writer: str, changes: Sequence[Change]) -> None:
        """Count changes of a shard that Lambda gave up, except those that were counted before.

        `writer` is only used for these changes, in order. Raises Unavailable.
        """
        for endpoint_day, increments in _increments(changes).items():
            counted = self.counters.counted_range(endpoint_day, shard) or ()
            missing = [each for each in increments if each.sequence not in counted]
            self._add(endpoint_day, writer, missing, _oldest(changes), complete_since=0)

    def _add(
        self,
        endpoint_day: EndpointDay,
        writer: str,
        increments: Sequence[_Increment],
        oldest_change_at: int,
        complete_since: int,
    ) -> None:
        while increments:
            first = _first_that_fit(increments)
            last_counted = self.counters.add(
                CounterUpdate(
                    endpoint_day=endpoint_day,
                    writer=writer,
                    first_sequence=first[0].sequence,
                    last_sequence=first[-1].sequence,
                    # Even if they add up to zero: some of them can have been counted before.
                    counters=_sum(first),
                    expires_at=self._expires_at(endpoint_day.day),
                    oldest_change_at=oldest_change_at,
                    complete_since=complete_since,
                )
            )
            increments = [each for each in increments if each.sequence > last_counted]

    def _expires_at(self, day: str) -> int:
        """Epoch seconds, the same for all writers: a day expires as a whole."""
        start = datetime.fromisoformat(day).replace(tzinfo=UTC)
        return int(start.timestamp() + (timedelta(days=1) + self.retention).total_seconds())


def _increments(changes: Iterable[Change]) -> dict[EndpointDay, list[_Increment]]:
    increments = defaultdict[EndpointDay, list[_Increment]](list)
    for change in changes:
        for endpoint_day, counters in counters_for_change(change).items():
            increments[endpoint_day].append(_Increment(change.sort_key, counters))
    return increments


def _oldest(changes: Iterable[Change]) -> int:
    return min((change.made_at for change in changes), default=0)


def counters_for_change(change: Change) -> dict[EndpointDay, dict[str, int]]:
    """What a change adds to counters, by endpoint and day. Empty if the result did not change."""
    if change.after is None:
        return {}  # A deleted or expired record still was a result.
    added = defaultdict[EndpointDay, Counter[str]](Counter)
    for image, sign in ((change.after, 1), (change.before, -1)):
        endpoint_day, names = _counted(image or {})
        for name in names:
            added[endpoint_day][name] += sign
    changed = {
        endpoint_day: {name: n for name, n in counters.items() if n}
        for endpoint_day, counters in added.items()
    }
    return {endpoint_day: counters for endpoint_day, counters in changed.items() if counters}


def _counted(image: Mapping[str, Any]) -> tuple[EndpointDay, list[str]]:
    """The endpoint and day of a record, and its counters. No counters if it has no result.

    A malformed item counts nothing: other writers can store anything in the table.
    """
    status = image.get(Attribute.STATUS, Status.IN_PROGRESS)
    endpoint_name = image.get(Attribute.ENDPOINT_NAME)
    event_time = _time(image.get(Attribute.EVENT_TIME))
    endpoint_day = EndpointDay(_text(endpoint_name), (event_time or "")[:10])
    if event_time is None or not _is_counted(status):
        return endpoint_day, []
    names = [STATUS_PREFIX + status]
    if received_at := _time(image.get(Attribute.RECEIVED_AT)):
        names.append(f"{LATENCY_PREFIX}{bucket_for(milliseconds_between(received_at, event_time))}")
    return endpoint_day, names


def _is_counted(status: Any) -> bool:
    return (
        isinstance(status, str)
        and status != Status.IN_PROGRESS
        and 1 <= len(status) <= _MAX_STATUS_CHARACTERS
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> str | None:
    try:
        return parse_timestamp(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _first_that_fit(increments: Sequence[_Increment]) -> Sequence[_Increment]:
    """The first increments that fit in one update."""
    names = set[str]()
    for index, increment in enumerate(increments):
        names |= increment.counters.keys()
        if len(names) > _MAX_COUNTERS:
            return increments[:index]
    return increments


def _sum(increments: Sequence[_Increment]) -> dict[str, int]:
    total = Counter[str]()
    for increment in increments:
        total.update(increment.counters)
    return {name: n for name, n in total.items() if n}
