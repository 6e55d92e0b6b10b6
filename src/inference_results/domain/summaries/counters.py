"""The use case: the changes of records become counters, by endpoint and day.

The counters say how records stand: a result that replaces another takes away what that one
counted. What a change adds follows from the change alone, so it can be told again and again.
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

_MOST_COUNTERS: Final = 250
"""Of one addition: an expression may have 4 KB."""
_SURELY_TOLD: Final = timedelta(hours=STREAM_RETRY_HOURS - 1)
"""No part of the stream is given up so soon. An hour less, as clocks differ."""
_MAX_STATUS: Final = 64
"""Characters; no notification has more, and a counter's name does not stretch without end."""


class EndpointDay(NamedTuple):
    """What has counters of its own. `day` is `YYYY-MM-DD`, of UTC."""

    endpoint_name: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterUpdate:
    """What consecutive changes add to the counters that one writer keeps of an endpoint's day."""

    of: EndpointDay
    writer: str
    first_sequence: str
    last_sequence: str
    counters: Mapping[str, int]
    """By name; some are negative."""
    expires_at: int
    began: int
    """When the oldest change of the batch was made, in epoch seconds."""
    sure_since: int
    """Between a batch that began earlier and this one, the stream may have been given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRange:
    """Which changes the counters of a writer include, of those that concern them.

    A gap is what lies between two sequences: what was given up there was not counted.
    """

    first: str
    last: str
    gaps: tuple[tuple[str, str], ...] = ()

    def __contains__(self, sequence: str) -> bool:
        within = self.first <= sequence <= self.last
        return within and not any(after < sequence < before for after, before in self.gaps)


class Counters(Protocol):
    """The table of summaries, as it is written."""

    def add(self, addition: CounterUpdate) -> str:
        """Add unless the counters include the first change, or a later one, already.

        Answers with the sequence of the last change that they include now. Raises Unavailable.
        Notes a gap if the last batch began before `sure_since`.
        """

    def counted(self, of: EndpointDay, writer: str) -> CountedRange | None:
        """What the counters include by now. Raises Unavailable."""


class _Step(NamedTuple):
    """What one change adds."""

    sequence: str
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountResults:
    """Counts what a writer is told: in order, though it may be told again what it was before.

    After an error the same changes can be told again, cut into other batches: none counts twice.
    """

    counts: Counters
    retention: timedelta
    """How long a day's counters are kept after its end."""
    now: Callable[[], datetime]

    def __call__(self, writer: str, changes: Sequence[Change]) -> None:
        sure_since = int((self.now() - _SURELY_TOLD).timestamp())
        for of, steps in _steps(changes).items():
            self._add(of, writer, steps, _began(changes), sure_since)

    def given_up(self, former: str, writer: str, changes: Sequence[Change]) -> None:
        """Count what a former writer was told, and did not count before it was given up.

        `writer` counts these changes and no others, in order, however often they are told.
        """
        for of, steps in _steps(changes).items():
            counted = self.counts.counted(of, former) or ()
            missing = [step for step in steps if step.sequence not in counted]
            self._add(of, writer, missing, _began(changes), sure_since=0)

    def _add(
        self, of: EndpointDay, writer: str, steps: Sequence[_Step], began: int, sure_since: int
    ) -> None:
        while steps:
            some = _as_many_as_fit(steps)
            included = self.counts.add(
                CounterUpdate(
                    of=of,
                    writer=writer,
                    first_sequence=some[0].sequence,
                    last_sequence=some[-1].sequence,
                    # Also if all of it is zero: a refusal tells what of it was added before.
                    counters=_sum(some),
                    expires_at=self._expires_at(of.day),
                    began=began,
                    sure_since=sure_since,
                )
            )
            steps = [step for step in steps if step.sequence > included]

    def _expires_at(self, day: str) -> int:
        """The same for all writers, so that a day goes as a whole."""
        begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
        return int(begin.timestamp() + (timedelta(days=1) + self.retention).total_seconds())


def _steps(changes: Iterable[Change]) -> dict[EndpointDay, list[_Step]]:
    steps = defaultdict[EndpointDay, list[_Step]](list)
    for change in changes:
        for of, counters in counters_for_change(change).items():
            steps[of].append(_Step(change.sort_key, counters))
    return steps


def _began(changes: Iterable[Change]) -> int:
    return min((change.made_at for change in changes), default=0)


def counters_for_change(change: Change) -> dict[EndpointDay, dict[str, int]]:
    """What a change adds to which counters; nothing if it leaves the result as it was."""
    if change.after is None:
        return {}  # Deleted, or past its retention: it was a result all the same.
    added = defaultdict[EndpointDay, Counter[str]](Counter)
    for image, sign in ((change.after, 1), (change.before, -1)):
        of, names = _counted(image or {})
        for name in names:
            added[of][name] += sign
    changed = {of: {name: n for name, n in each.items() if n} for of, each in added.items()}
    return {of: counters for of, counters in changed.items() if counters}


def _counted(image: Mapping[str, Any]) -> tuple[EndpointDay, list[str]]:
    """The endpoint and day that a record counts for, and its counters; none before a result.

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
        isinstance(status, str) and status != Status.IN_PROGRESS and 1 <= len(status) <= _MAX_STATUS
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> str | None:
    try:
        return parse_timestamp(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _as_many_as_fit(steps: Sequence[_Step]) -> Sequence[_Step]:
    names = set[str]()
    for number, step in enumerate(steps):
        names |= step.counters.keys()
        if len(names) > _MOST_COUNTERS:
            return steps[:number]
    return steps


def _sum(steps: Sequence[_Step]) -> dict[str, int]:
    total = Counter[str]()
    for step in steps:
        total.update(step.counters)
    return {name: n for name, n in total.items() if n}
