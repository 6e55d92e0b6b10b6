"""The use case: how many results did an endpoint have on each day, and how long did they take?"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

from inference_results.contract import SummaryAttribute
from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.parameters import ENDPOINT_NAME
from inference_results.domain.summaries.counters import LATENCY_PREFIX, STATUS_PREFIX
from inference_results.domain.summaries.latency import describe_latency

_DEFAULT_DAYS: Final = 7
_MOST_DAYS: Final = 31


class Summaries(Protocol):
    """The table of summaries, as it is asked."""

    def read(self, endpoint_name: str, since: str, until: str) -> list[dict[str, Any]]:
        """The items of an endpoint's days, both included. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizeEndpoint:
    """Adds up what the writers counted; answers with the days that have results, newest first."""

    summaries: Summaries
    now: Callable[[], datetime]

    def __call__(
        self, endpoint_name: str, since: str | None = None, until: str | None = None
    ) -> dict[str, Any]:
        """Days are `YYYY-MM-DD`, of UTC. Raises InvalidParameter or Unavailable."""
        ENDPOINT_NAME.check(endpoint_name)
        first, last = self._days(since, until)
        now = int(self.now().timestamp())
        totals = defaultdict[str, Counter[str]](Counter)
        for item in self.summaries.read(endpoint_name, first, last):
            # DynamoDB may keep an expired item for two more days.
            if item[SummaryAttribute.EXPIRES_AT] > now:
                day = item[SummaryAttribute.DAY_WRITER].partition("#")[0]
                totals[day].update(_counters(item))
        days = [_shown(day, totals[day]) for day in sorted(totals, reverse=True)]
        return {"endpoint_name": endpoint_name, "days": [day for day in days if day["counts"]]}

    def _days(self, since: str | None, until: str | None) -> tuple[str, str]:
        last = _day("until", until) if until is not None else self.now().astimezone(UTC).date()
        if since is None:
            first = last - min(timedelta(days=_DEFAULT_DAYS - 1), last - date.min)
        else:
            first = _day("since", since)
        if not timedelta() <= last - first < timedelta(days=_MOST_DAYS):
            raise InvalidParameter("since", f"a day up to `until`, {_MOST_DAYS} days in all")
        return first.isoformat(), last.isoformat()


def _day(parameter: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat takes other forms (20261123, 2026-W48-1) as well.
    if day is None or day.isoformat() != text:
        raise InvalidParameter(parameter, "a day, YYYY-MM-DD")
    return day


def _counters(item: Mapping[str, Any]) -> dict[str, int]:
    prefixes = (STATUS_PREFIX, LATENCY_PREFIX)
    return {name: value for name, value in item.items() if name.startswith(prefixes)}


def _shown(day: str, totals: Mapping[str, int]) -> dict[str, Any]:
    shown: dict[str, Any] = {"day": day, "counts": _positive(totals, STATUS_PREFIX)}
    if buckets := _positive(totals, LATENCY_PREFIX):
        shown["latency"] = describe_latency(
            {int(bucket): count for bucket, count in buckets.items()}
        )
    return shown


def _positive(totals: Mapping[str, int], prefix: str) -> dict[str, int]:
    """The counters of a kind, by what follows its prefix; those of nothing are left out."""
    return {
        name.removeprefix(prefix): totals[name]
        for name in sorted(totals)
        if name.startswith(prefix) and totals[name] > 0
    }
