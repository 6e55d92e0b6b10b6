"""Check the schedule that invokes reconcile."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.contract import Service
from inference_results.operations.doctor.deployment import SCHEDULE, Deployment, Resource
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom

_NOT_RECONCILED: Final = (
    "Overdue records stay InProgress, and results without a notification are not found."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChecks:
    """Check the schedule of the stack. `scheduler` is a boto3 client."""

    deployment: Deployment
    scheduler: Any

    def checks(self) -> Iterator[Check]:
        functions = {each.arn for each in self.deployment.functions_of(Service.RECONCILE)}
        for schedule in self.deployment.of_type(SCHEDULE):
            if schedule.properties["Target"]["Arn"] in functions:
                yield Check(
                    resource=schedule.physical_id,
                    run=partial(self._schedule, schedule),
                    effect_if_missing=_NOT_RECONCILED,
                )

    def _schedule(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        group = expected.properties.get("GroupName") or "default"
        actual = self.scheduler.get_schedule(Name=name, GroupName=group)
        if actual["State"] != "ENABLED":
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.SCHEDULE_DISABLED,
                resource=name,
                problem=f"The schedule is {actual['State']}.",
                effect=_NOT_RECONCILED,
                remedy="Enable it in the console, or with aws scheduler update-schedule, which"
                " needs all of its parameters.",
            )
        target = expected.properties["Target"]["Arn"]
        if actual["Target"]["Arn"] != target:
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.SCHEDULE_TARGET,
                resource=name,
                problem=f"It invokes {actual['Target']['Arn']} instead of reconcile.",
                effect=_NOT_RECONCILED,
                remedy=f"Set its target to {target} again.",
            )
