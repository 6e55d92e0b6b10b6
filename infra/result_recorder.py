"""The function that records the notifications in a channel's queue."""

import json
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from inference_results.contract import Service, Variable

from .function import TIMEOUT, HandlerFunction
from .output_access import allow_reading
from .settings import Settings


def queue_visibility_timeout(batch_window_seconds: int) -> cdk.Duration:
    """Return six times the function's timeout plus the batching window, as AWS recommends."""
    return cdk.Duration.seconds(6 * int(TIMEOUT.to_seconds()) + batch_window_seconds)


class ResultRecorder(Construct):
    """Runs `record_result` on batches of `queue`. SQS redelivers only the messages that failed."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        queue: sqs.IQueue,
        unprocessable_queue: sqs.IQueue,
        table: dynamodb.ITableV2,
        code: lambda_.Code,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        self.handler = HandlerFunction(
            self,
            "RecordResult",
            service=Service.RECORD_RESULT,
            code=code,
            settings=settings,
            environment={
                **recording_environment(table, settings),
                Variable.UNPROCESSABLE_QUEUE_URL: unprocessable_queue.queue_url,
            },
            statements=[
                _allow(
                    ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                    queue.queue_arn,
                ),
                _allow(["sqs:SendMessage"], unprocessable_queue.queue_arn),
                _allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], table.table_arn),
            ],
        )
        allow_reading(self.handler.role, settings)
        self._consume(queue, settings)

    def _consume(self, queue: sqs.IQueue, settings: Settings) -> None:
        self.handler.function.add_event_source_mapping(
            "Queue",
            event_source_arn=queue.queue_arn,
            batch_size=settings.batch_size,
            max_batching_window=cdk.Duration.seconds(settings.batch_window_seconds),
            max_concurrency=settings.maximum_concurrency,
            report_batch_item_failures=True,
        )


def recording_environment(table: dynamodb.ITableV2, settings: Settings) -> dict[str, str]:
    """Return the variables of every function that records results."""
    return {
        Variable.TABLE_NAME: table.table_name,
        Variable.OUTPUT_PREFIXES: json.dumps(settings.output_prefixes),
        Variable.INLINE_OUTPUT_BYTES: str(settings.inline_output_bytes),
        Variable.RETENTION_DAYS: str(settings.retention_days),
        Variable.SHARDS: str(settings.shards),
        Variable.WORKERS: str(settings.workers),
        Variable.WATCHED_ENDPOINTS: json.dumps(settings.watched_names),
    }


def _allow(actions: Sequence[str], *resources: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))
