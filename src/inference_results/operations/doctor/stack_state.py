"""The stack itself."""

from collections.abc import Iterator
from typing import Final

from inference_results.contract import StackOutput
from inference_results.operations.doctor.finding import Finding, Severity, Symptom
from inference_results.operations.stack import Stack

OPTIONAL_OUTPUTS: Final = frozenset(
    {
        StackOutput.API_URL,
        StackOutput.EVENT_BUS_ARN,
        StackOutput.EVENT_DEAD_LETTER_QUEUE_URL,
        StackOutput.PUBLISH_EVENTS_FUNCTION_NAME,
        StackOutput.ALARM_TOPIC_ARN,
    }
)
"""Some settings leave them out."""

_DEPLOY: Final = "Deploy it with the version of this command (README.md)."


def stack_findings(stack: Stack) -> Iterator[Finding]:
    if stack.status.endswith("_IN_PROGRESS"):
        yield Finding(
            severity=Severity.WARNING,
            symptom=Symptom.STACK_STATE,
            resource=stack.name,
            problem=f"It is {stack.status}.",
            effect="What else is found here may be half of an old state and half of a new one.",
            remedy="Wait until it is done, and run this again.",
        )
    elif "ROLLBACK" in stack.status or "FAILED" in stack.status:
        reason = f": {stack.reason}" if stack.reason else "."
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.STACK_STATE,
            resource=stack.name,
            problem=f"It is {stack.status}{reason}",
            effect="The last deployment is not in force.",
            remedy="Repair what the stack's events name, and deploy again.",
        )
    missing = [each for each in StackOutput if each not in {*stack.outputs, *OPTIONAL_OUTPUTS}]
    if missing:
        yield Finding(
            severity=Severity.WARNING,
            symptom=Symptom.OUTPUTS_MISSING,
            resource=stack.name,
            problem=f"It has no outputs {', '.join(missing)}.",
            effect="An older version is deployed, or another app: commands that read the outputs"
            " end with an error.",
            remedy=_DEPLOY,
        )
