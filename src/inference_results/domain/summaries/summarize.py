"""Summarize an endpoint's results: counts by status and latencies, by day."""

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
_MAX_DAYS: Final = 31


class Summaries(Protocol):
    """The summaries table."""

    def read(self, endpoint_name: str, since: str, until: str) -> list[dict[str, Any]]:
        """The items of an endpoint from one day to another, inclusive. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizeEndpoint:
    """Adds the counters of all writers."""

    summaries: Summaries
    now: Callable[[], datetime]

    def __call__(
        self, endpoint_name: str, since: str | None = None, until: str | None = None
    ) -> dict[str, Any]:
        """Summarize the days from `since` to `until`: UTC, `YYYY-MM-DD`, inclusive.

        Returns `{"endpoint_name", "days": [{"day", "counts", "latency"?}, ...]}`: days with
        results, newest first. Raises InvalidParameter or Unavailable.
        """
        ENDPOINT_NAME.check(endpoint_name)
        first, last = self._days(since, until)
        now = int(self.now().timestamp())
        totals = defaultdict[str, Counter[str]](Counter)
        for item in self.summaries.read(endpoint_name, first, last):
            # DynamoDB can keep an expired item for two more days.
            if item[SummaryAttribute.EXPIRES_AT] > now:
                day = item[SummaryAttribute.DAY_WRITER].partition("#")[0]
                totals[day].update(_counters(item))
        days = [_summary(day, totals[day]) for day in sorted(totals, reverse=True)]
        return {"endpoint_name": endpoint_name, "days": [day for day in days if day["counts"]]}

    def _days(self, since: str | None, until: str | None) -> tuple[str, str]:
        last = _day("until", until) if until is not None else self.now().astimezone(UTC).date()
        if since is None:
            first = last - min(timedelta(days=_DEFAULT_DAYS - 1), last - date.min)
        else:
            first = _day("since", since)
        if not timedelta() <= last - first < timedelta(days=_MAX_DAYS):
            raise InvalidParameter("since", f"a day at most {_MAX_DAYS - 1} days before until")
        return first.isoformat(), last.isoformat()


def _day(parameter: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat accepts other formats too (20261123, 2026-W48-1).
    if day is None or day.isoformat() != text:
        raise InvalidParameter(parameter, "a day, YYYY-MM-DD")
    return day


def _counters(item: Mapping[str, Any]) -> dict[str, int]:
    prefixes = (STATUS_PREFIX, LATENCY_PREFIX)
    return {name: value for name, value in item.items() if name.startswith(prefixes)}


def _summary(day: str, totals: Mapping[str, int]) -> dict[str, Any]:
    summary: dict[str, Any] = {"day": day, "counts": _positive(totals, STATUS_PREFIX)}
    if buckets := _positive(totals, LATENCY_PREFIX):
        summary["latency"] = describe_latency(
            {int(bucket): count for bucket, count in buckets.items()}
        )
    return summary


def _positive(totals: Mapping[str, int], prefix: str) -> dict[str, int]:
    """The counters with a prefix, by the rest of their names, if they are above zero."""
    return {
        name.removeprefix(prefix): totals[name]
        for name in sorted(totals)
        if name.startswith(prefix) and totals[name] > 0
    }
