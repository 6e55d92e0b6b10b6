"""Topics, and who is told by them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.contract import StackOutput
from inference_results.operations.doctor.aws_commands import aws
from inference_results.operations.doctor.deployment import (
    SUBSCRIPTION,
    TOPIC,
    TOPIC_POLICY,
    Deployment,
    Resource,
)
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom
from inference_results.operations.doctor.policies import PolicyWatch, document

_PENDING: Final = "PendingConfirmation"
_DELETED: Final = "Deleted"
"""Both in place of the subscription's ARN."""
_NOT_RECORDED: Final = "What SageMaker would tell by it is not recorded."
_NOT_ALARMED: Final = "Alarms reach nobody."


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Those of the stack, those that its outputs name, and those that it subscribes to."""

    deployment: Deployment
    sns: Any

    def checks(self) -> Iterator[Check]:
        for topic in self._arns():
            yield Check(resource=topic, run=partial(self._policy, topic), if_gone=self._lack(topic))
            yield Check(resource=topic, run=partial(self._unconfirmed, topic))
        for each in self.deployment.of(SUBSCRIPTION):
            yield Check(resource=each.properties["Endpoint"], run=partial(self._subscription, each))

    def _arns(self) -> list[str]:
        outputs = self.deployment.stack.outputs.values()
        named = [each for each in outputs if each.startswith("arn:") and ":sns:" in each]
        own = [each.physical_id for each in self.deployment.of(TOPIC)]
        used = [each.properties["TopicArn"] for each in self.deployment.of(SUBSCRIPTION)]
        return [each for each in dict.fromkeys([*named, *own, *used]) if each]

    def _lack(self, topic: str) -> str:
        """What it means if nobody can publish to a topic."""
        alarms = self.deployment.stack.outputs.get(StackOutput.ALARM_TOPIC_ARN)
        return _NOT_ALARMED if topic == alarms else _NOT_RECORDED

    def _policy(self, topic: str) -> Iterator[Finding]:
        actual = self.sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("Policy")
        for each in self.deployment.of(TOPIC_POLICY):
            if topic not in each.properties["Topics"]:
                continue
            expected = each.properties["PolicyDocument"]
            watch = PolicyWatch(
                symptom=Symptom.TOPIC_POLICY,
                resource=topic,
                refused=f"Some that are to publish to it may not. {self._lack(topic)}",
                open="It may be published to without TLS.",
                remedy=_policy_remedy(topic, expected),
            )
            yield from watch.findings(expected, actual)

    def _unconfirmed(self, topic: str) -> Iterator[Finding]:
        for each in self._subscriptions(topic):
            if each["SubscriptionArn"] == _PENDING:
                yield Finding(
                    severity=Severity.WARNING,
                    symptom=Symptom.SUBSCRIPTION_UNCONFIRMED,
                    resource=topic,
                    problem=f"{each['Endpoint']} has not confirmed the subscription.",
                    effect="Nothing is sent there.",
                    remedy="Follow the link in the mail that AWS sent there. After three days it"
                    " is void: subscribe the address again.",
                )

    def _subscription(self, expected: Resource) -> Iterator[Finding]:
        who = expected.properties["Protocol"], expected.properties["Endpoint"]
        found = [
            each["SubscriptionArn"]
            for each in self._subscriptions(expected.properties["TopicArn"])
            if (each["Protocol"], each["Endpoint"]) == who and each["SubscriptionArn"] != _DELETED
        ]
        is_queue = expected.properties["Protocol"] == "sqs"
        if not found:
            yield _unsubscribed(expected) if is_queue else _address_unsubscribed(expected)
        for arn in found if is_queue else ():
            answer = self.sns.get_subscription_attributes(SubscriptionArn=arn)
            yield from _attribute_findings(arn, expected, answer["Attributes"])

    def _subscriptions(self, topic: str) -> Iterator[dict[str, str]]:
        pages = self.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        for page in pages:
            yield from page["Subscriptions"]


def _policy_remedy(topic: str, expected: Mapping[str, Any]) -> str:
    policy = document(expected)
    if policy is None:
        return "Give the topic the policy of the stack's template again."
    return aws(
        *("sns", "set-topic-attributes", "--topic-arn", topic),
        *("--attribute-name", "Policy", "--attribute-value", policy),
    )


def _unsubscribed(expected: Resource) -> Finding:
    queue, topic = expected.properties["Endpoint"], expected.properties["TopicArn"]
    attributes = {
        "RawMessageDelivery": "true",
        "RedrivePolicy": json.dumps(expected.properties.get("RedrivePolicy")),
    }
    return Finding(
        severity=Severity.ERROR,
        symptom=Symptom.SUBSCRIPTION_MISSING,
        resource=queue,
        problem=f"It is not subscribed to {topic}.",
        effect="No result that this topic tells of is recorded; those of the meantime are lost to"
        " the records, unless they were registered or are backfilled.",
        remedy=aws(
            *("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs"),
            *("--notification-endpoint", queue, "--attributes", json.dumps(attributes)),
        ),
    )


def _address_unsubscribed(expected: Resource) -> Finding:
    address, topic = expected.properties["Endpoint"], expected.properties["TopicArn"]
    protocol = expected.properties["Protocol"]
    return Finding(
        severity=Severity.WARNING,
        symptom=Symptom.SUBSCRIPTION_MISSING,
        resource=address,
        problem=f"It is no longer subscribed to {topic}.",
        effect="Who reads there is not told.",
        remedy=aws(
            *("sns", "subscribe", "--topic-arn", topic, "--protocol", protocol),
            *("--notification-endpoint", address),
        )
        + " Or take the address out of the settings and deploy.",
    )


def _attribute_findings(
    arn: str, expected: Resource, actual: Mapping[str, str]
) -> Iterator[Finding]:
    if actual.get("RawMessageDelivery") != "true":
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.DELIVERY_NOT_RAW,
            resource=arn,
            problem="Raw message delivery is off.",
            effect="Messages arrive in an envelope of SNS, which counts towards their size.",
            remedy=_set(arn, "RawMessageDelivery", "true"),
        )
    redrive = expected.properties.get("RedrivePolicy")
    if redrive and json.loads(actual.get("RedrivePolicy") or "{}") != redrive:
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.SUBSCRIPTION_REDRIVE,
            resource=arn,
            problem=f"What cannot be delivered does not go to {redrive['deadLetterTargetArn']}.",
            effect="If the queue cannot be reached, results are lost without a trace.",
            remedy=_set(arn, "RedrivePolicy", json.dumps(redrive)),
        )
    if actual.get("FilterPolicy", "") not in ("", "{}"):
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.SUBSCRIPTION_FILTER,
            resource=arn,
            problem=f"It has a filter policy: {actual['FilterPolicy']}",
            effect="What does not match is not recorded. SageMaker's notifications have no"
            " attributes that could match.",
            remedy=_set(arn, "FilterPolicy", "{}"),
        )


def _set(arn: str, name: str, value: str) -> str:
    return aws(
        *("sns", "set-subscription-attributes", "--subscription-arn", arn),
        *("--attribute-name", name, "--attribute-value", value),
    )
