"""The event bus, and the function that publishes status changes and completes tasks."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from inference_results.contract import Service, Variable

from .settings import Settings
from .stream_consumer import StreamConsumer

_BATCH_SIZE = 100
"""Ten PutEvents calls. No batching window, so events are published without delay."""


class EventPublisher(StreamConsumer):
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
        assert table.table_stream_arn
        super().__init__(
            scope,
            id,
            function_id="PublishEvents",
            service=Service.PUBLISH_EVENTS,
            stream_arn=table.table_stream_arn,
            dead_letter_key=key,
            code=code,
            settings=settings,
            environment={
                Variable.TABLE_ARN: table.table_arn,
                Variable.PUBLISH_CUSTOM_ATTRIBUTES: str(settings.publish_custom_attributes).lower(),
            },
            batch_size=_BATCH_SIZE,
            report_batch_item_failures=True,
        )
        self.bus = self._bus(settings.event_bus_arn, key)
        self._allow_publishing()
        if settings.state_machine_arns:
            self._allow_completing_tasks(settings.state_machine_arns)

    def _bus(self, arn: str | None, key: kms.IKey | None) -> events.IEventBus:
        if arn:
            return events.EventBus.from_event_bus_arn(self, "Bus", arn)
        return events.EventBus(self, "Bus", kms_key=key)

    def _allow_publishing(self) -> None:
        arn = self.bus.event_bus_arn
        self.handler.function.add_environment(Variable.EVENT_BUS_ARN.value, arn)
        self.handler.role.add_to_policy(
            iam.PolicyStatement(actions=["events:PutEvents"], resources=[arn])
        )

    def _allow_completing_tasks(self, state_machine_arns: tuple[str, ...]) -> None:
        self.handler.role.add_to_policy(
            iam.PolicyStatement(
                actions=["states:SendTaskFailure", "states:SendTaskSuccess"],
                resources=list(state_machine_arns),
            )
        )
