"""Alarms on queues: messages in a queue that should be empty, and messages that wait too long."""

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .alarm_topic import AlarmTopic, Runbook
from .metrics import queue_metric, topic_metric
from .parts import Parts
from .result_channel import ResultChannel
from .settings import Settings


class QueueAlarms(Construct):
    """Alarms on all queues and on topics that drop messages."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        alarm_topic: AlarmTopic,
        parts: Parts,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        self._alarm_topic = alarm_topic
        for channel in parts.channels:
            self._watch_dead_letters(channel)
            self._watch_delivery(channel, settings.oldest_message_seconds)
        self._watch_unprocessable(parts.unprocessable)
        self._watch_summaries(parts.summary_dead_letters)
        if parts.event_dead_letters:
            self._watch_events(parts.event_dead_letters)

    def _watch_unprocessable(self, queue: sqs.IQueue) -> None:
        self._alarm_if_not_empty(
            "Unprocessable",
            queue,
            "The unprocessable queue holds messages that are not valid notifications. If SageMaker "
            "sent one, its result is not recorded. Inspect the messages, then redrive or delete "
            "them.",
            Runbook.UNPROCESSABLE,
        )

    def _watch_summaries(self, dead_letters: sqs.IQueue) -> None:
        self._alarm_if_not_empty(
            "SummaryDeadLetters",
            dead_letters,
            "summarize failed with changes of records for twelve hours. The summaries lack them; "
            "the records are correct. Redrive the dead letters within twelve hours.",
            Runbook.SUMMARY_DEAD_LETTERS,
        )

    def _watch_events(self, dead_letters: sqs.IQueue) -> None:
        self._alarm_if_not_empty(
            "EventDeadLetters",
            dead_letters,
            "publish_events failed with changes of records for twelve hours. Consumers did not "
            "receive the events; the records are correct. Redrive the dead letters within twelve "
            "hours.",
            Runbook.EVENT_DEAD_LETTERS,
        )

    def _watch_dead_letters(self, channel: ResultChannel) -> None:
        name = channel.node.id
        self._alarm_if_not_empty(
            f"{name}DeadLetters",
            channel.dead_letter_queue,
            f"Notifications of the channel {name} could not be recorded in five attempts. Their "
            "inferences have no result. Fix the cause, then redrive the dead letters.",
            Runbook.RESULT_DEAD_LETTERS,
        )
        self._alarm_if_not_empty(
            f"{name}Undelivered",
            channel.subscription_dead_letter_queue,
            f"SNS could not deliver notifications to the queue of the channel {name}. Their "
            "inferences have no result. Fix the queue's policy, then redrive the dead letters.",
            Runbook.UNDELIVERED_NOTIFICATIONS,
        )

    def _watch_delivery(self, channel: ResultChannel, oldest_message_seconds: int) -> None:
        name = channel.node.id
        self._alarm_topic.alarm(
            self,
            f"{name}Waiting",
            metric=queue_metric(channel.queue, "ApproximateAgeOfOldestMessage"),
            above=oldest_message_seconds,
            description=f"A notification of the channel {name} has waited for more than "
            f"{oldest_message_seconds} s. Results are recorded late, and callers wait longer. "
            "Check that record_result runs and succeeds.",
            runbook=Runbook.RESULTS_WAITING,
        )
        self._alarm_topic.alarm(
            self,
            f"{name}Dropped",
            metric=topic_metric(channel.topic, "NumberOfNotificationsFailedToRedriveToDlq"),
            description=f"SNS could deliver messages of the channel {name} neither to a subscriber "
            "nor to its dead-letter queue, and dropped them. If the subscriber is this service, "
            "results are lost unless reconciliation finds them. Fix the queues' policies.",
            runbook=Runbook.UNDELIVERED_NOTIFICATIONS,
        )

    def _alarm_if_not_empty(
        self, id: str, queue: sqs.IQueue, description: str, runbook: Runbook
    ) -> None:
        metric = queue_metric(queue, "ApproximateNumberOfMessagesVisible")
        self._alarm_topic.alarm(self, id, metric=metric, description=description, runbook=runbook)
