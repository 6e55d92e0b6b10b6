"""The way of the notifications of one outcome: topic, subscription, queue, dead letters."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .nag import acknowledge

RETENTION = cdk.Duration.days(14)
_RECEIVES_BEFORE_DEAD_LETTER = 5


def encrypted_queue(
    scope: Construct,
    id: str,
    *,
    key: kms.IKey | None,
    visibility_timeout: cdk.Duration | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """A queue that keeps messages for 14 days, encrypted, reached over TLS only.

    SSE-SQS, not AWS's own KMS key: SNS cannot send to a queue under that one.
    """
    return sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=RETENTION,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
    )


class ResultChannel(Construct):
    """Subscribes a queue to a topic, which is created unless `topic_arn` names one.

    `visibility_timeout` is to be at least six times the consumer's timeout, plus its window.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        visibility_timeout: cdk.Duration,
        topic_arn: str | None = None,
        topic_key: kms.IKey | None = None,
        queue_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.topic: sns.ITopic = (
            sns.Topic.from_topic_arn(self, "Topic", topic_arn)
            if topic_arn
            else sns.Topic(self, "Topic", enforce_ssl=True, master_key=topic_key)
        )
        self.dead_letter_queue = encrypted_queue(self, "DeadLetterQueue", key=queue_key)
        self.subscription_dead_letter_queue = encrypted_queue(
            self, "SubscriptionDeadLetterQueue", key=queue_key
        )
        acknowledge(
            self.subscription_dead_letter_queue,
            "SQS3",
            "It is a dead-letter queue: of the subscription, where the rule does not look.",
        )
        self.queue = encrypted_queue(
            self,
            "Queue",
            key=queue_key,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letter_queue, max_receive_count=_RECEIVES_BEFORE_DEAD_LETTER
            ),
        )
        self.topic.add_subscription(
            subscriptions.SqsSubscription(
                self.queue,
                raw_message_delivery=True,
                dead_letter_queue=self.subscription_dead_letter_queue,
            )
        )
        # The subscription allows the topic to send. Others in the account may be allowed by their
        # own policies, so they are refused here: whoever can send can forge a result.
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=["sqs:SendMessage"],
                principals=[iam.AnyPrincipal()],
                resources=[self.queue.queue_arn],
                conditions={"ArnNotEquals": {"aws:SourceArn": self.topic.topic_arn}},
            )
        )

    def allow_publishing(self, role: iam.IRole) -> None:
        """In the policy of the topic, if it was created here; the role needs its own as well."""
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ArnPrincipal(role.role_arn)],
                resources=[self.topic.topic_arn],
            )
        )
