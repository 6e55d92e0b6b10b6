"""What each endpoint did on each day: the table of the counters, and the function that counts."""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from inference_results.contract import SummaryAttribute, Variable

from .acknowledged import acknowledge
from .function import HandlerFunction
from .result_channel import encrypted_queue
from .settings import Settings
from .table import expiring_table

_BATCH_SIZE = 1000
_BATCH_WINDOW = cdk.Duration.seconds(5)
_GIVE_UP_AFTER = cdk.Duration.hours(12)
"""The stream keeps a change for 24 hours: what is given up can still be read for half of them."""
_TUMBLING_WINDOW = cdk.Duration.minutes(15)
"""Not for its state, which is not used: without a window, events do not name their shard. The
longest, since each window of a shard ends with a call of its own."""


class SummariesTable(Construct):
    """One item for each endpoint, day and shard of the stream; see decision 0007."""

    def __init__(self, scope: Construct, id: str, *, retain: bool, key: kms.IKey | None) -> None:
        super().__init__(scope, id)
        self.table = expiring_table(
            self,
            "Table",
            partition_key=SummaryAttribute.ENDPOINT_NAME,
            sort_key=SummaryAttribute.DAY_WRITER,
            expiry=SummaryAttribute.EXPIRES_AT,
            retain=retain,
            key=key,
        )


class Summarizer(Construct):
    """Runs summarize on the stream of the inferences, shard by shard and in order.

    A batch that fails is halved and tried again, for half a day at most: then Lambda tells the
    dead-letter queue which part of the stream the summaries lack.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        stream_arn: str,
        table: dynamodb.ITableV2,
        dead_letter_key: kms.IKey | None,
        code: lambda_.Code,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        self.dead_letter_queue = encrypted_queue(self, "DeadLetterQueue", key=dead_letter_key)
        acknowledge(
            self.dead_letter_queue,
            "SQS3",
            "It is a dead-letter queue: of the stream, where the rule does not look.",
        )
        handler = HandlerFunction(
            self,
            "Summarize",
            handler="summarize",
            code=code,
            settings=settings,
            environment={
                Variable.SUMMARIES_TABLE_NAME: table.table_name,
                Variable.RETENTION_DAYS: str(settings.retention_days),
            },
            statements=[
                iam.PolicyStatement(
                    actions=[
                        "dynamodb:DescribeStream",
                        "dynamodb:GetRecords",
                        "dynamodb:GetShardIterator",
                        "dynamodb:ListStreams",
                    ],
                    resources=[stream_arn],
                ),
                iam.PolicyStatement(actions=["dynamodb:UpdateItem"], resources=[table.table_arn]),
                iam.PolicyStatement(
                    actions=["sqs:SendMessage"], resources=[self.dead_letter_queue.queue_arn]
                ),
            ],
        )
        self.role = handler.role
        # Not the destination of aws_lambda_event_sources: it grants more than to send.
        mapping = handler.function.add_event_source_mapping(
            "Stream",
            event_source_arn=stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=_BATCH_SIZE,
            max_batching_window=_BATCH_WINDOW,
            bisect_batch_on_error=True,
            # Records that expire count nothing: half of all changes need no call.
            filters=[
                lambda_.FilterCriteria.filter(
                    {"eventName": lambda_.FilterRule.or_("INSERT", "MODIFY")}
                )
            ],
            max_record_age=_GIVE_UP_AFTER,
            tumbling_window=_TUMBLING_WINDOW,
        ).node.default_child
        assert isinstance(mapping, lambda_.CfnEventSourceMapping)
        mapping.add_property_override(
            "DestinationConfig.OnFailure.Destination", self.dead_letter_queue.queue_arn
        )
