"""Queues: who may send, where messages go that fail, and what waits for people."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.contract import Variable
from inference_results.operations.doctor.aws_commands import aws
from inference_results.operations.doctor.deployment import (
    MAPPING,
    QUEUE,
    QUEUE_POLICY,
    SUBSCRIPTION,
    Deployment,
    Resource,
)
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom
from inference_results.operations.doctor.policies import PolicyWatch, document

_ATTRIBUTES: Final = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "Policy",
    "RedrivePolicy",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    deployment: Deployment
    sqs: Any

    def checks(self) -> Iterator[Check]:
        left_over = set(self._left_over())
        for each in self.deployment.of(QUEUE):
            yield Check(
                resource=each.physical_id,
                run=partial(self._findings, each, is_left_over=each.physical_id in left_over),
                if_gone="What goes through it is lost.",
            )

    def _findings(self, queue: Resource, *, is_left_over: bool) -> Iterator[Finding]:
        actual = self.sqs.get_queue_attributes(
            QueueUrl=queue.physical_id, AttributeNames=_ATTRIBUTES
        )["Attributes"]
        yield from self._policy_findings(queue, actual.get("Policy"))
        yield from _redrive_findings(queue, actual.get("RedrivePolicy"))
        if is_left_over:
            yield from self._message_findings(queue, actual)

    def _policy_findings(self, queue: Resource, actual: str | None) -> Iterator[Finding]:
        for each in self.deployment.of(QUEUE_POLICY):
            if queue.physical_id not in each.properties["Queues"]:
                continue
            expected = each.properties["PolicyDocument"]
            watch = PolicyWatch(
                symptom=Symptom.QUEUE_POLICY,
                resource=queue.physical_id,
                refused="SNS cannot send to it: results are not recorded, or dead letters lost.",
                open="Who may send to it by a policy of their own can forge a result, or send"
                " without TLS.",
                remedy=_policy_remedy(queue.physical_id, expected),
            )
            yield from watch.findings(expected, actual)

    def _message_findings(self, queue: Resource, actual: Mapping[str, str]) -> Iterator[Finding]:
        waiting = int(actual["ApproximateNumberOfMessages"])
        if count := waiting + int(actual["ApproximateNumberOfMessagesNotVisible"]):
            yield Finding(
                severity=Severity.WARNING,
                symptom=Symptom.DEAD_LETTERS,
                resource=queue.physical_id,
                problem=f"{count} message{'' if count == 1 else 's'} in it.",
                effect="What they tell is not recorded, counted or announced. After 14 days they"
                " are gone.",
                remedy=f"Look at them: inference-results dead-letters list --stack"
                f" {self.deployment.stack.name}",
            )

    def _left_over(self) -> Iterator[str]:
        """Queues that no function drains: dead letters, and what cannot be processed."""
        redriving = [*self.deployment.of(QUEUE), *self.deployment.of(SUBSCRIPTION)]
        targets = [
            (each.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
            for each in redriving
        ]
        targets += [
            each.properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            for each in self.deployment.of(MAPPING)
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
            problem=f"What fails again and again does not go to {target}.",
            effect="Such a message comes back until it is 14 days old; then it is gone.",
            remedy=aws(
                *("sqs", "set-queue-attributes", "--queue-url", queue.physical_id),
                *("--attributes", json.dumps({"RedrivePolicy": json.dumps(expected)})),
            ),
        )


def _policy_remedy(url: str, expected: Mapping[str, Any]) -> str:
    policy = document(expected)
    if policy is None:
        return "Give the queue the policy of the stack's template again."
    attributes = json.dumps({"Policy": policy})
    return aws("sqs", "set-queue-attributes", "--queue-url", url, "--attributes", attributes)
