"""The use case: the changes of records become counters, by endpoint and day.

The counters say how records stand: a result that replaces another takes away what that one
counted. What a change adds follows from the change alone, so it can be told again and again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from inference_results.contract import STREAM_GIVE_UP_HOURS, Attribute
from inference_results.domain.inference import Status
from inference_results.domain.latency import bucket_of
from inference_results.domain.timestamp import milliseconds_between, parse_timestamp

STATUS_PREFIX: Final = "status#"
LATENCY_PREFIX: Final = "latency#"

_MOST_COUNTERS: Final = 250
"""Of one addition: an expression may have 4 KB."""
_SURELY_TOLD: Final = timedelta(hours=STREAM_GIVE_UP_HOURS - 1)
"""No part of the stream is given up so soon. An hour less, as clocks differ."""
_MAX_STATUS: Final = 64
"""Characters; no notification has more, and a counter's name does not stretch without end."""


class EndpointDay(NamedTuple):
    """What has counters of its own. `day` is `YYYY-MM-DD`, of UTC."""

    endpoint_name: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A record before and after one write: its texts by attribute, None where there was none.

    `sequence` sorts as text in the order in which one writer is told its changes; `made` is when
    it was made, in epoch seconds.
    """

    sequence: str
    made: int
    before: Mapping[str, str] | None
    after: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
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
class Counted:
    """Which changes the counters of a writer include, of those that concern them.

    A gap is what lies between two sequences: what was given up there was not counted.
    """

    first: str
    last: str
    gaps: tuple[tuple[str, str], ...] = ()

    def __contains__(self, sequence: str) -> bool:
        within = self.first <= sequence <= self.last
        return within and not any(after < sequence < before for after, before in self.gaps)


class Counts(Protocol):
    """The table of summaries, as it is written."""

    def add(self, addition: Addition) -> str:
        """Add unless the counters include the first change, or a later one, already.

        Answers with the sequence of the last change that they include now. Raises Unavailable.
        Notes a gap if the last batch began before `sure_since`.
        """

    def counted(self, of: EndpointDay, writer: str) -> Counted | None:
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

    counts: Counts
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
                Addition(
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
        for of, counters in added_by(change).items():
            steps[of].append(_Step(change.sequence, counters))
    return steps


def _began(changes: Iterable[Change]) -> int:
    return min((change.made for change in changes), default=0)


def added_by(change: Change) -> dict[EndpointDay, dict[str, int]]:
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


def _counted(image: Mapping[str, str]) -> tuple[EndpointDay, list[str]]:
    """Where a record counts, and the names of its counters: none unless it tells a result.

    Whoever may write to the table may write anything: what is malformed counts nothing.
    """
    status = image.get(Attribute.STATUS, Status.IN_PROGRESS)
    event_time = _time(image.get(Attribute.EVENT_TIME))
    endpoint_day = EndpointDay(image.get(Attribute.ENDPOINT_NAME, ""), (event_time or "")[:10])
    if event_time is None or status == Status.IN_PROGRESS or not 1 <= len(status) <= _MAX_STATUS:
        return endpoint_day, []
    names = [STATUS_PREFIX + status]
    if received_at := _time(image.get(Attribute.RECEIVED_AT)):
        names.append(f"{LATENCY_PREFIX}{bucket_of(milliseconds_between(received_at, event_time))}")
    return endpoint_day, names


def _time(text: str | None) -> str | None:
    try:
        return None if text is None else parse_timestamp(text)
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
