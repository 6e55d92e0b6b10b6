"""Check that the event bus exists."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_results.contract import Variable
from inference_results.operations.doctor.deployment import Deployment
from inference_results.operations.doctor.finding import Check, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBusChecks:
    """Check the event bus of the stack, its own or an existing one. `events` is a boto3 client."""

    deployment: Deployment
    events: Any

    def checks(self) -> Iterator[Check]:
        if arn := self.deployment.setting(Variable.EVENT_BUS_ARN):
            yield Check(
                resource=arn,
                run=partial(self._bus, arn),
                effect_if_missing="No events are published. The changes become dead letters.",
            )

    def _bus(self, arn: str) -> Iterator[Finding]:
        account = self.deployment.stack.arn.split(":")[4]
        # A bus of another account is described by its ARN, one of this account also by its name.
        is_own = arn.split(":")[4] == account
        self.events.describe_event_bus(Name=arn.partition("event-bus/")[2] if is_own else arn)
        return iter(())
