"""Records that tell of trouble."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any, Final

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.contract import Attribute, Index, Service, Status, Variable
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.doctor.deployment import SCHEDULE, Deployment
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom

_MOST: Final = 1000
"""More are not counted."""
_NAMED: Final = 5
_SWEEPS: Final = 3
"""So many may pass before what is overdue is a symptom: one may be late, or busy."""
_SLACK: Final = Variable.OVERDUE_SLACK_SECONDS
_MINUTES: Final = {"minute": 1, "hour": 60, "day": 1440}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChecks:
    """`queries` and `overdue` are those of the stack's table."""

    deployment: Deployment
    table_name: str
    queries: InferenceQueries
    overdue: OverdueQueries
    since: datetime
    now: datetime

    def checks(self) -> Iterator[Check]:
        yield Check(resource=self.table_name, run=self._lost)
        for function in self.deployment.functions_of(Service.RECONCILE):
            slack = timedelta(seconds=int(function.environment[_SLACK] or 0))
            before = timestamp(self.now - slack - _SWEEPS * self._interval(function.arn))
            yield Check(
                resource=self.table_name, run=partial(self._overdue, before, function.physical_id)
            )

    def _lost(self) -> Iterator[Finding]:
        items = self.queries.newest(
            Index.BY_STATUS, Status.LOST, since=timestamp(self.since), before=None, page_size=_MOST
        )
        since = timestamp(self.since)
        if found := list(islice(items, _MOST)):
            yield Finding(
                severity=Severity.WARNING,
                symptom=Symptom.LOST_RECORDS,
                resource=self.table_name,
                problem=f"{_count(found)} became Lost since {since}: {_some(found)}",
                effect="Neither an output nor a failure was seen until their deadlines.",
                remedy="Ask SageMaker's metrics and logs of their endpoints. All of them:"
                f" inference-results list --status Lost --since {since}",
            )

    def _overdue(self, before: str, sweep: str) -> Iterator[Finding]:
        overdue = chain.from_iterable(self.overdue.in_progress(before))
        # One may be registered long after its deadline.
        items = (each for each in overdue if each.get(Attribute.RECORDED_AT, "") < before)
        if found := list(islice(items, _MOST)):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.OVERDUE_RECORDS,
                resource=self.table_name,
                problem=f"{_count(found)} should have ended before {before}, and the sweep has not"
                f" ended them: {_some(found)}",
                effect="They stay InProgress, and who waits for them waits in vain.",
                remedy=f"The log of {sweep} says why: it is not called, may not read S3 or the"
                " table, or has more to do than it gets done.",
            )

    def _interval(self, sweep_arn: str | None) -> timedelta:
        for each in self.deployment.of(SCHEDULE):
            rate = re.fullmatch(r"rate\((\d+) (\w+?)s?\)", each.properties["ScheduleExpression"])
            if rate and each.properties["Target"]["Arn"] == sweep_arn:
                return timedelta(minutes=int(rate[1]) * _MINUTES[rate[2]])
        return timedelta(days=1)


def _count(found: list[dict[str, Any]]) -> str:
    number = f"{_MOST} or more" if len(found) == _MOST else str(len(found))
    return f"{number} record{'' if len(found) == 1 else 's'}"


def _some(found: list[dict[str, Any]]) -> str:
    ids = [str(each[Attribute.INFERENCE_ID]) for each in found[:_NAMED]]
    return ", ".join(ids) + (", ..." if len(found) > _NAMED else "")
