"""The event bus, and the function that publishes status changes and completes tasks."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from inference_results.contract import Service, Variable

from .function import HandlerFunction
from .nag import acknowledge
from .result_channel import encrypted_queue
from .settings import Settings
from .stream_consumer import consume_stream, stream_statements

_BATCH_SIZE = 100
"""Ten PutEvents calls. No batching window, so events are published without delay."""


class EventPublisher(Construct):
    """Runs publish_events on the stream of the inferences table.

    Creates `bus` unless the settings name an existing one. `key` encrypts the dead-letter queue
    and a bus that is created here.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITableV2,
        key: kms.IKey | None,
        code: lambda_.Code,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        assert table.table_stream_arn
        self.bus: events.IEventBus = (
            events.EventBus.from_event_bus_arn(self, "Bus", settings.event_bus_arn)
            if settings.event_bus_arn
            else events.EventBus(self, "Bus", kms_key=key)
        )
        self.dead_letter_queue = encrypted_queue(self, "DeadLetterQueue", key=key)
        acknowledge(
            self.dead_letter_queue,
            "SQS3",
            "This is the dead-letter queue of a stream mapping, which the rule does not detect.",
        )
        self.handler = handler = HandlerFunction(
            self,
            "PublishEvents",
            service=Service.PUBLISH_EVENTS,
            code=code,
            settings=settings,
            environment={
                Variable.TABLE_ARN: table.table_arn,
                Variable.EVENT_BUS_ARN: self.bus.event_bus_arn,
                Variable.PUBLISH_CUSTOM_ATTRIBUTES: str(settings.publish_custom_attributes).lower(),
            },
            statements=[
                *stream_statements(table.table_stream_arn, self.dead_letter_queue),
                iam.PolicyStatement(
                    actions=["events:PutEvents"], resources=[self.bus.event_bus_arn]
                ),
                *_task_statements(settings),
            ],
        )
        self.role = handler.role
        self.function = handler.function
        consume_stream(
            handler,
            stream_arn=table.table_stream_arn,
            dead_letter_queue=self.dead_letter_queue,
            batch_size=_BATCH_SIZE,
            report_batch_item_failures=True,
        )


def _task_statements(settings: Settings) -> list[iam.PolicyStatement]:
    if not settings.state_machine_arns:
        return []
    return [
        iam.PolicyStatement(
            actions=["states:SendTaskFailure", "states:SendTaskSuccess"],
            resources=list(settings.state_machine_arns),
        )
    ]
