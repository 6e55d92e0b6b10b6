"""Check the table for records that are lost or overdue."""

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

_MAX_COUNT: Final = 1000
_MAX_NAMED: Final = 5
_GRACE_INTERVALS: Final = 3
"""A run of reconcile can be late or busy: report a record after this many intervals."""
_RATE_MINUTES: Final = {"minute": 1, "hour": 60, "day": 1440}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChecks:
    """Check the records of the stack's table, which `queries` and `overdue` read.

    Reports records that became Lost since `since`.
    """

    deployment: Deployment
    table_name: str
    queries: InferenceQueries
    overdue: OverdueQueries
    since: datetime
    now: datetime

    def checks(self) -> Iterator[Check]:
        yield Check(resource=self.table_name, run=self._lost)
        for reconcile in self.deployment.functions_of(Service.RECONCILE):
            slack_seconds = int(reconcile.environment[Variable.OVERDUE_SLACK_SECONDS] or 0)
            grace = timedelta(seconds=slack_seconds) + _GRACE_INTERVALS * self._interval(
                reconcile.arn
            )
            before = timestamp(self.now - grace)
            yield Check(
                resource=self.table_name, run=partial(self._overdue, before, reconcile.physical_id)
            )

    def _lost(self) -> Iterator[Finding]:
        since = timestamp(self.since)
        items = self.queries.newest(
            Index.BY_STATUS, Status.LOST, since=since, before=None, page_size=_MAX_COUNT
        )
        if found := list(islice(items, _MAX_COUNT)):
            yield Finding(
                severity=Severity.WARNING,
                symptom=Symptom.LOST_RECORDS,
                resource=self.table_name,
                problem=f"{_count(found)} became Lost since {since}: {_some_ids(found)}",
                effect="Neither an output nor a failure was found before their deadlines.",
                remedy="Look at SageMaker's metrics and logs of their endpoints. To list all, run:"
                f" inference-results list --status Lost --since {since}",
            )

    def _overdue(self, before: str, function_name: str) -> Iterator[Finding]:
        overdue = chain.from_iterable(self.overdue.in_progress(before))
        # A record can be registered long after its deadline.
        items = (each for each in overdue if each.get(Attribute.RECORDED_AT, "") < before)
        if found := list(islice(items, _MAX_COUNT)):
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.OVERDUE_RECORDS,
                resource=self.table_name,
                problem=f"{_count(found)} should have ended before {before}, but reconcile has not"
                f" ended them: {_some_ids(found)}",
                effect="They stay InProgress, and callers that wait for them time out.",
                remedy=f"Look at the log of {function_name}: it is not invoked, cannot read S3 or"
                " the table, or has more records to process than it can.",
            )

    def _interval(self, function_arn: str | None) -> timedelta:
        """Return the interval of the schedule that invokes the function."""
        for schedule in self.deployment.of_type(SCHEDULE):
            expression = schedule.properties["ScheduleExpression"]
            rate = re.fullmatch(r"rate\((\d+) (\w+?)s?\)", expression)
            if rate and schedule.properties["Target"]["Arn"] == function_arn:
                return timedelta(minutes=int(rate[1]) * _RATE_MINUTES[rate[2]])
        return timedelta(days=1)


def _count(found: list[dict[str, Any]]) -> str:
    number = f"{_MAX_COUNT} or more" if len(found) == _MAX_COUNT else str(len(found))
    return f"{number} record{'' if len(found) == 1 else 's'}"


def _some_ids(found: list[dict[str, Any]]) -> str:
    ids = [str(each[Attribute.INFERENCE_ID]) for each in found[:_MAX_NAMED]]
    return ", ".join(ids) + (", ..." if len(found) > _MAX_NAMED else "")
