"""Alarms on queues: what should be empty, and what waits too long."""

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .alarm_topic import AlarmTopic, Runbook
from .metrics import of_queue, of_topic
from .parts import Parts
from .result_channel import ResultChannel


class QueueAlarms(Construct):
    """`oldest_message_seconds` is how long a notification may wait to be recorded."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        told: AlarmTopic,
        parts: Parts,
        oldest_message_seconds: int,
    ) -> None:
        super().__init__(scope, id)
        self._told = told
        for channel in parts.channels:
            self._watch_channel(channel, oldest_message_seconds)
        self._should_be_empty(
            "Unprocessable",
            parts.unprocessable,
            "Messages came that are no notifications of SageMaker's, and were parked with the "
            "reason. If a result is among them, it is not recorded.",
            Runbook.UNPROCESSABLE,
        )
        self._should_be_empty(
            "SummaryDeadLetters",
            parts.summary_dead_letters,
            "Changes of records could not be counted for twelve hours. The summaries lack them; "
            "the records are right.",
            Runbook.SUMMARY_DEAD_LETTERS,
        )
        if parts.event_dead_letters:
            self._should_be_empty(
                "EventDeadLetters",
                parts.event_dead_letters,
                "Changes of a status could not be announced for twelve hours. Who waits for an "
                "event is not told; the records are right.",
                Runbook.EVENT_DEAD_LETTERS,
            )

    def _watch_channel(self, channel: ResultChannel, oldest_message_seconds: int) -> None:
        name = channel.node.id
        self._should_be_empty(
            f"{name}DeadLetters",
            channel.dead_letter_queue,
            f"Notifications of the channel {name} could not be recorded, five times. Who asks for "
            "these inferences does not learn how they ended.",
            Runbook.RESULT_DEAD_LETTERS,
        )
        self._should_be_empty(
            f"{name}Undelivered",
            channel.subscription_dead_letter_queue,
            f"SNS could not deliver notifications to the queue of the channel {name}. Who asks "
            "for these inferences does not learn how they ended.",
            Runbook.UNDELIVERED_NOTIFICATIONS,
        )
        self._told.tell(
            self,
            f"{name}Waiting",
            metric=of_queue(channel.queue, "ApproximateAgeOfOldestMessage"),
            above=oldest_message_seconds,
            says=f"A notification of the channel {name} has waited for over "
            f"{oldest_message_seconds} s. Results are recorded late, or not at all: who waits for "
            "one waits longer.",
            runbook=Runbook.RESULTS_WAITING,
        )
        self._told.tell(
            self,
            f"{name}Dropped",
            metric=of_topic(channel.topic, "NumberOfNotificationsFailedToRedriveToDlq"),
            says=f"SNS could deliver messages of the channel {name} neither to a subscriber nor to "
            "its dead letters, and dropped them. If it is this service's subscription, results "
            "are lost unless the sweep finds them.",
            runbook=Runbook.UNDELIVERED_NOTIFICATIONS,
        )

    def _should_be_empty(self, id: str, queue: sqs.IQueue, says: str, runbook: Runbook) -> None:
        metric = of_queue(queue, "ApproximateNumberOfMessagesVisible")
        self._told.tell(self, id, metric=metric, says=says, runbook=runbook)
