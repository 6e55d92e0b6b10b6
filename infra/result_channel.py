"""The path of one outcome's notifications: topic, subscription, queue and dead-letter queues."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .queues import dead_letter_queue, encrypted_queue

_RECEIVES_BEFORE_DEAD_LETTER = 5


class ResultChannel(Construct):
    """A queue that is subscribed to a topic. Creates the topic unless `topic_arn` names one.

    `visibility_timeout` must be at least six times the consumer's timeout plus its batching
    window.
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
        self.topic = self._topic(topic_arn, topic_key)
        self.dead_letter_queue = encrypted_queue(self, "DeadLetterQueue", key=queue_key)
        self.subscription_dead_letter_queue = dead_letter_queue(
            self, "SubscriptionDeadLetterQueue", source="subscription", key=queue_key
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
        self._subscribe()
        self._deny_other_senders()

    def allow_publishing(self, role: iam.IRole) -> None:
        """Allow a role to publish in the topic's policy, unless the topic already existed.

        The role's own policy must allow it too.
        """
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ArnPrincipal(role.role_arn)],
                resources=[self.topic.topic_arn],
            )
        )

    def _topic(self, arn: str | None, key: kms.IKey | None) -> sns.ITopic:
        if arn:
            return sns.Topic.from_topic_arn(self, "Topic", arn)
        return sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)

    def _subscribe(self) -> None:
        self.topic.add_subscription(
            subscriptions.SqsSubscription(
                self.queue,
                raw_message_delivery=True,
                dead_letter_queue=self.subscription_dead_letter_queue,
            )
        )

    def _deny_other_senders(self) -> None:
        """Deny sending to all but the topic, even if a sender's own policy allows it.

        The subscription allows the topic. Another sender could forge results.
        """
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=["sqs:SendMessage"],
                principals=[iam.AnyPrincipal()],
                resources=[self.queue.queue_arn],
                conditions={"ArnNotEquals": {"aws:SourceArn": self.topic.topic_arn}},
            )
        )
