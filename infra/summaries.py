"""The summaries table (daily counters by endpoint), and the function that updates it."""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from inference_results.contract import Service, SummaryAttribute, Variable

from .settings import Settings
from .stream_consumer import StreamConsumer
from .table import expiring_table

_BATCH_SIZE = 1000
_BATCH_WINDOW = cdk.Duration.seconds(5)
_TUMBLING_WINDOW = cdk.Duration.minutes(15)
"""Lambda names the shard in an event only with a tumbling window; its state is not used. 15 minutes
is the maximum: each window ends with an extra invocation."""


class SummariesTable(Construct):
    """One item for each endpoint, day and stream shard. See decision 0007."""

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


class Summarizer(StreamConsumer):
    """Runs `summarize` on the stream of the inferences table.

    The dead-letter queue receives references to the parts of the stream that were not counted.
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
        super().__init__(
            scope,
            id,
            function_id="Summarize",
            service=Service.SUMMARIZE,
            stream_arn=stream_arn,
            dead_letter_key=dead_letter_key,
            code=code,
            settings=settings,
            environment={
                Variable.SUMMARIES_TABLE_NAME: table.table_name,
                Variable.RETENTION_DAYS: str(settings.retention_days),
            },
            statements=_update_statements(table),
            batch_size=_BATCH_SIZE,
            max_batching_window=_BATCH_WINDOW,
            tumbling_window=_TUMBLING_WINDOW,
        )


def _update_statements(table: dynamodb.ITableV2) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=["dynamodb:GetItem", "dynamodb:UpdateItem"], resources=[table.table_arn]
        )
    ]
