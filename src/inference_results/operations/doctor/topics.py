"""Check topics and their subscriptions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from inference_results.contract import StackOutput
from inference_results.operations.doctor.aws_cli import aws_command
from inference_results.operations.doctor.deployment import (
    SUBSCRIPTION,
    TOPIC,
    TOPIC_POLICY,
    Deployment,
    Resource,
)
from inference_results.operations.doctor.finding import Check, Finding, Severity, Symptom
from inference_results.operations.doctor.policies import PolicyComparison, policy_text

_PENDING: Final = "PendingConfirmation"
_DELETED: Final = "Deleted"
"""SNS returns these two in place of a subscription's ARN."""
_RESULTS_LOST: Final = "SageMaker's notifications are lost: results are not recorded."
_ALARMS_LOST: Final = "Alarms reach nobody."


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicChecks:
    """Check the topics of the stack, of its outputs and of its subscriptions."""

    deployment: Deployment
    sns: Any

    def checks(self) -> Iterator[Check]:
        for topic in self._topic_arns():
            yield Check(
                resource=topic,
                run=partial(self._policy, topic),
                effect_if_missing=self._effect_if_unusable(topic),
            )
            yield Check(resource=topic, run=partial(self._unconfirmed, topic))
        for each in self.deployment.of_type(SUBSCRIPTION):
            yield Check(resource=each.properties["Endpoint"], run=partial(self._subscription, each))

    def _topic_arns(self) -> list[str]:
        outputs = self.deployment.stack.outputs.values()
        named = [each for each in outputs if each.startswith("arn:") and ":sns:" in each]
        own = [each.physical_id for each in self.deployment.of_type(TOPIC)]
        used = [each.properties["TopicArn"] for each in self.deployment.of_type(SUBSCRIPTION)]
        return [each for each in dict.fromkeys([*named, *own, *used]) if each]

    def _effect_if_unusable(self, topic: str) -> str:
        alarm_topic = self.deployment.stack.outputs.get(StackOutput.ALARM_TOPIC_ARN)
        return _ALARMS_LOST if topic == alarm_topic else _RESULTS_LOST

    def _policy(self, topic: str) -> Iterator[Finding]:
        actual = self.sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("Policy")
        for each in self.deployment.of_type(TOPIC_POLICY):
            if topic not in each.properties["Topics"]:
                continue
            expected = each.properties["PolicyDocument"]
            comparison = PolicyComparison(
                symptom=Symptom.TOPIC_POLICY,
                resource=topic,
                blocked="A publisher of this topic is denied access."
                f" {self._effect_if_unusable(topic)}",
                exposed="Anybody with access can publish to it without TLS.",
                remedy=_policy_remedy(topic, expected),
            )
            yield from comparison.findings(expected, actual)

    def _unconfirmed(self, topic: str) -> Iterator[Finding]:
        for each in self._subscriptions(topic):
            if each["SubscriptionArn"] == _PENDING:
                yield Finding(
                    severity=Severity.WARNING,
                    symptom=Symptom.SUBSCRIPTION_UNCONFIRMED,
                    resource=topic,
                    problem=f"{each['Endpoint']} has not confirmed its subscription.",
                    effect="It receives nothing.",
                    remedy="Follow the link in the email from AWS. The link expires after three"
                    " days: then subscribe the address again.",
                )

    def _subscription(self, expected: Resource) -> Iterator[Finding]:
        subscriber = expected.properties["Protocol"], expected.properties["Endpoint"]
        arns = [
            each["SubscriptionArn"]
            for each in self._subscriptions(expected.properties["TopicArn"])
            if (each["Protocol"], each["Endpoint"]) == subscriber
            and each["SubscriptionArn"] != _DELETED
        ]
        is_queue = expected.properties["Protocol"] == "sqs"
        if not arns:
            yield _queue_not_subscribed(expected) if is_queue else _address_not_subscribed(expected)
        for arn in arns if is_queue else ():
            response = self.sns.get_subscription_attributes(SubscriptionArn=arn)
            yield from _attribute_findings(arn, expected, response["Attributes"])

    def _subscriptions(self, topic: str) -> Iterator[dict[str, str]]:
        pages = self.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        for page in pages:
            yield from page["Subscriptions"]


def _policy_remedy(topic: str, expected: Mapping[str, Any]) -> str:
    policy = policy_text(expected)
    if policy is None:
        return "Restore the topic's policy from the stack's template."
    return aws_command(
        *("sns", "set-topic-attributes", "--topic-arn", topic),
        *("--attribute-name", "Policy", "--attribute-value", policy),
    )


def _queue_not_subscribed(expected: Resource) -> Finding:
    queue, topic = expected.properties["Endpoint"], expected.properties["TopicArn"]
    attributes = {
        "RawMessageDelivery": "true",
        "RedrivePolicy": json.dumps(expected.properties.get("RedrivePolicy")),
    }
    return Finding(
        severity=Severity.ERROR,
        symptom=Symptom.SUBSCRIPTION_MISSING,
        resource=queue,
        problem=f"The queue is not subscribed to {topic}.",
        effect="Notifications of this topic are lost: results are only recorded if they were"
        " registered, or if you backfill them.",
        remedy=aws_command(
            *("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs"),
            *("--notification-endpoint", queue, "--attributes", json.dumps(attributes)),
        ),
    )


def _address_not_subscribed(expected: Resource) -> Finding:
    address, topic = expected.properties["Endpoint"], expected.properties["TopicArn"]
    protocol = expected.properties["Protocol"]
    return Finding(
        severity=Severity.WARNING,
        symptom=Symptom.SUBSCRIPTION_MISSING,
        resource=address,
        problem=f"The address is no longer subscribed to {topic}.",
        effect="It receives nothing.",
        remedy=aws_command(
            *("sns", "subscribe", "--topic-arn", topic, "--protocol", protocol),
            *("--notification-endpoint", address),
        )
        + " Or remove the address from the settings and deploy.",
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
            effect="SNS wraps notifications in an envelope, which counts towards the size limit.",
            remedy=_set_attribute(arn, "RawMessageDelivery", "true"),
        )
    redrive = expected.properties.get("RedrivePolicy")
    if redrive and json.loads(actual.get("RedrivePolicy") or "{}") != redrive:
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.SUBSCRIPTION_REDRIVE,
            resource=arn,
            problem=f"Undeliverable notifications do not go to {redrive['deadLetterTargetArn']}.",
            effect="If SNS cannot reach the queue, results are lost without a trace.",
            remedy=_set_attribute(arn, "RedrivePolicy", json.dumps(redrive)),
        )
    if actual.get("FilterPolicy", "") not in ("", "{}"):
        yield Finding(
            severity=Severity.ERROR,
            symptom=Symptom.SUBSCRIPTION_FILTER,
            resource=arn,
            problem=f"The subscription has a filter policy: {actual['FilterPolicy']}",
            effect="Notifications that do not match are lost. SageMaker's notifications have no"
            " attributes to match.",
            remedy=_set_attribute(arn, "FilterPolicy", "{}"),
        )


def _set_attribute(arn: str, name: str, value: str) -> str:
    return aws_command(
        *("sns", "set-subscription-attributes", "--subscription-arn", arn),
        *("--attribute-name", name, "--attribute-value", value),
    )
