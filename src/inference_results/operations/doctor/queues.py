"""Check queues: their policies, their dead-letter queues, and the messages that nothing drains."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.contract import Variable
from inference_results.operations.doctor.aws_cli import aws_command
from inference_results.operations.doctor.deployment import (
    MAPPING,
    QUEUE,
    QUEUE_POLICY,
    SUBSCRIPTION,
    Deployment,
    Resource,
)
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom
from inference_results.operations.doctor.policies import PolicyComparison, policy_text

_ATTRIBUTES: Final = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "Policy",
    "RedrivePolicy",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChecks:
    """Check the queues of the stack."""

    deployment: Deployment
    sqs: Any

    def checks(self) -> Iterator[Check]:
        dead_letter_urls = set(self._dead_letter_urls())
        for queue in self.deployment.of_type(QUEUE):
            yield Check(
                resource=queue.physical_id,
                run=partial(
                    self._findings,
                    queue,
                    has_dead_letters=queue.physical_id in dead_letter_urls,
                ),
                effect_if_missing="Messages that are sent to it are lost.",
            )

    def _findings(self, queue: Resource, *, has_dead_letters: bool) -> Iterator[Finding]:
        actual = self.sqs.get_queue_attributes(
            QueueUrl=queue.physical_id, AttributeNames=_ATTRIBUTES
        )["Attributes"]
        yield from self._policy_findings(queue, actual.get("Policy"))
        yield from _redrive_findings(queue, actual.get("RedrivePolicy"))
        if has_dead_letters:
            yield from self._dead_letter_findings(queue, actual)

    def _policy_findings(self, queue: Resource, actual: str | None) -> Iterator[Finding]:
        for each in self.deployment.of_type(QUEUE_POLICY):
            if queue.physical_id not in each.properties["Queues"]:
                continue
            expected = each.properties["PolicyDocument"]
            comparison = PolicyComparison(
                symptom=Symptom.QUEUE_POLICY,
                resource=queue.physical_id,
                blocked="SNS cannot send to the queue: results are not recorded, or dead letters"
                " are lost.",
                exposed="A principal whose own policy allows it can send forged results, or send"
                " without TLS.",
                remedy=_policy_remedy(queue.physical_id, expected),
            )
            yield from comparison.findings(expected, actual)

    def _dead_letter_findings(
        self, queue: Resource, actual: Mapping[str, str]
    ) -> Iterator[Finding]:
        visible = int(actual["ApproximateNumberOfMessages"])
        if count := visible + int(actual["ApproximateNumberOfMessagesNotVisible"]):
            yield Finding(
                severity=Severity.WARNING,
                symptom=Symptom.DEAD_LETTERS,
                resource=queue.physical_id,
                problem=f"The queue holds {count} message{'' if count == 1 else 's'}.",
                effect="Their results or changes are not recorded, counted or published. SQS"
                " deletes a message after 14 days.",
                remedy="Inspect them: inference-results dead-letters list --stack"
                f" {self.deployment.stack.name}",
            )

    def _dead_letter_urls(self) -> Iterator[str]:
        """Yield the dead-letter queues and the unprocessable queue: no function drains them."""
        sources = [*self.deployment.of_type(QUEUE), *self.deployment.of_type(SUBSCRIPTION)]
        targets = [
            (each.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
            for each in sources
        ]
        targets += [
            each.properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            for each in self.deployment.of_type(MAPPING)
        ]
        for arn in filter(None, targets):
            if queue := self.deployment.queue(arn):
                yield queue.physical_id
        if unprocessable := self.deployment.setting(Variable.UNPROCESSABLE_QUEUE_URL):
            yield unprocessable


def _redrive_findings(queue: Resource, actual: str | None) -> Iterator[Finding]:
    expected = queue.properties.get("RedrivePolicy")
    if not expected:
        return
    target = expected["deadLetterTargetArn"]
    if json.loads(actual or "{}").get("deadLetterTargetArn") != target:
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.QUEUE_REDRIVE,
            resource=queue.physical_id,
            problem=f"Messages that keep failing do not go to {target}.",
            effect="SQS delivers such a message again and again, and deletes it after 14 days.",
            remedy=aws_command(
                *("sqs", "set-queue-attributes", "--queue-url", queue.physical_id),
                *("--attributes", json.dumps({"RedrivePolicy": json.dumps(expected)})),
            ),
        )


def _policy_remedy(url: str, expected: Mapping[str, Any]) -> str:
    policy = policy_text(expected)
    if policy is None:
        return "Restore the queue's policy from the stack's template."
    attributes = json.dumps({"Policy": policy})
    return aws_command(
        "sqs", "set-queue-attributes", "--queue-url", url, "--attributes", attributes
    )
