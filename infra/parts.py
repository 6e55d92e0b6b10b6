"""The parts of the service that alarms and the dashboard watch."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs

from .function import HandlerFunction
from .result_channel import ResultChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """References to the parts. `handlers` are keyed by the name of their construct.

    `channels` has one element if both outcomes share a topic.
    """

    channels: tuple[ResultChannel, ...]
    handlers: Mapping[str, HandlerFunction]
    unprocessable: sqs.IQueue
    summary_dead_letters: sqs.IQueue
    event_dead_letters: sqs.IQueue | None
    table: dynamodb.ITableV2
    summaries_table: dynamodb.ITableV2
    api: apigateway.IHttpApi | None

    @property
    def dead_letters(self) -> dict[str, sqs.IQueue]:
        """All queues that should be empty, by name."""
        queues: dict[str, sqs.IQueue | None] = {
            **{f"{each.node.id}DeadLetters": each.dead_letter_queue for each in self.channels},
            **{
                f"{each.node.id}Undelivered": each.subscription_dead_letter_queue
                for each in self.channels
            },
            "Unprocessable": self.unprocessable,
            "SummaryDeadLetters": self.summary_dead_letters,
            "EventDeadLetters": self.event_dead_letters,
        }
        return {name: queue for name, queue in queues.items() if queue}
