"""The schedule of the sweep, the event bus, and the keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_results.contract import Service, Variable
from inference_results.operations.doctor.deployment import KEY, SCHEDULE, Deployment, Resource
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`scheduler`, `events` and `kms` are clients of boto3."""

    deployment: Deployment
    scheduler: Any
    events: Any
    kms: Any

    def checks(self) -> Iterator[Check]:
        sweeps = {each.arn for each in self.deployment.functions_of(Service.RECONCILE)}
        for each in self.deployment.of(SCHEDULE):
            if each.properties["Target"]["Arn"] in sweeps:
                yield Check(
                    resource=each.physical_id,
                    run=partial(self._schedule, each),
                    if_gone="Nothing overdue is ended: it stays InProgress.",
                )
        for each in self.deployment.of(KEY):
            yield Check(resource=each.physical_id, run=partial(self._key, each.physical_id))
        if bus := self.deployment.setting(Variable.EVENT_BUS_ARN):
            yield Check(
                resource=bus,
                run=partial(self._bus, bus),
                if_gone="Nobody is told of changes; they end in the dead letters.",
            )

    def _schedule(self, expected: Resource) -> Iterator[Finding]:
        name = expected.physical_id
        group = expected.properties.get("GroupName") or "default"
        actual = self.scheduler.get_schedule(Name=name, GroupName=group)
        if actual["State"] != "ENABLED":
            yield _schedule_finding(
                Symptom.SCHEDULE_DISABLED,
                name,
                f"It is {actual['State']}.",
                "Nothing overdue is ended: it stays InProgress. Lost notifications are not made"
                " up for.",
                "Enable it (in the console, or with aws scheduler update-schedule, which takes all"
                " of it at once).",
            )
        target = expected.properties["Target"]["Arn"]
        if actual["Target"]["Arn"] != target:
            yield _schedule_finding(
                Symptom.SCHEDULE_TARGET,
                name,
                f"It calls {actual['Target']['Arn']}, not the sweep.",
                "Nothing overdue is ended: it stays InProgress.",
                f"Give it the target {target} again.",
            )

    def _key(self, key_id: str) -> Iterator[Finding]:
        state = self.kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
        if state != "Enabled":
            yield Finding(
                severity=Severity.ERROR,
                symptom=Symptom.KEY_UNUSABLE,
                resource=key_id,
                problem=f"It is {state}.",
                effect="What it encrypts (topics, queues or tables) can be neither written nor"
                " read.",
                remedy=f"aws kms cancel-key-deletion --key-id {key_id} if it is PendingDeletion;"
                f" then aws kms enable-key --key-id {key_id}",
            )

    def _bus(self, arn: str) -> Iterator[Finding]:
        own = self.deployment.stack.arn.split(":")[4]
        # By its ARN only where it has to be: it may belong to another account.
        name = arn.partition("event-bus/")[2] if arn.split(":")[4] == own else arn
        self.events.describe_event_bus(Name=name)
        return iter(())


def _schedule_finding(
    symptom: Symptom, name: str, problem: str, effect: str, remedy: str
) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        symptom=symptom,
        resource=name,
        problem=problem,
        effect=effect,
        remedy=remedy,
    )
