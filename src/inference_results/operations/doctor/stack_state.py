"""Check the state and the outputs of the stack."""

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
"""Some settings remove these outputs."""


def stack_findings(stack: Stack) -> Iterator[Finding]:
    if stack.status.endswith("_IN_PROGRESS"):
        yield Finding(
            severity=Severity.WARNING,
            symptom=Symptom.STACK_STATE,
            resource=stack.name,
            problem=f"The stack is {stack.status}.",
            effect="Other findings may describe a mixture of the old and the new state.",
            remedy="Wait until the deployment has ended, then run doctor again.",
        )
    elif "ROLLBACK" in stack.status or "FAILED" in stack.status:
        reason = f": {stack.reason}" if stack.reason else "."
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.STACK_STATE,
            resource=stack.name,
            problem=f"The stack is {stack.status}{reason}",
            effect="The last deployment is not in effect.",
            remedy="Fix what the stack's events report, then deploy again.",
        )
    missing = [each for each in StackOutput if each not in {*stack.outputs, *OPTIONAL_OUTPUTS}]
    if missing:
        yield Finding(
            severity=Severity.WARNING,
            symptom=Symptom.OUTPUTS_MISSING,
            resource=stack.name,
            problem=f"The stack lacks the outputs {', '.join(missing)}.",
            effect="Commands that read these outputs fail. The stack is older than this command, or"
            " belongs to another app.",
            remedy="Deploy the stack with the version of this command: see README.md.",
        )
