"""A function that reads the stream of the inferences table.

DynamoDB supports two readers for each shard, and both are used: do not add a third.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from inference_results.contract import STREAM_RETRY_HOURS, Service

from .function import HandlerFunction
from .queues import dead_letter_queue
from .settings import Settings

_GIVE_UP_AFTER = cdk.Duration.hours(STREAM_RETRY_HOURS)
"""The stream keeps changes for 24 hours, so an operator has 12 hours left to redrive them."""


class StreamConsumer(Construct):
    """Runs a function on the stream from its beginning, in order within each shard.

    Lambda halves and retries a failed batch for up to 12 hours, then sends a reference to its part
    of the stream to the dead-letter queue. `mapping` is passed to EventSourceMapping.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function_id: str,
        service: Service,
        stream_arn: str,
        dead_letter_key: kms.IKey | None,
        code: lambda_.Code,
        settings: Settings,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement] = (),
        **mapping: Any,
    ) -> None:
        super().__init__(scope, id)
        self.dead_letter_queue = dead_letter_queue(
            self, "DeadLetterQueue", source="stream mapping", key=dead_letter_key
        )
        self.handler = HandlerFunction(
            self,
            function_id,
            service=service,
            code=code,
            settings=settings,
            environment=environment,
            statements=[*_stream_statements(stream_arn, self.dead_letter_queue), *statements],
        )
        _add_mapping(self.handler.function, stream_arn, self.dead_letter_queue, **mapping)


def _stream_statements(stream_arn: str, dead_letters: sqs.IQueue) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            resources=[stream_arn],
        ),
        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn]),
    ]


def _add_mapping(
    function: lambda_.Function, stream_arn: str, dead_letters: sqs.IQueue, **options: Any
) -> None:
    # aws_lambda_event_sources would grant more than sqs:SendMessage for the destination.
    mapping = function.add_event_source_mapping(
        "Stream",
        event_source_arn=stream_arn,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        bisect_batch_on_error=True,
        # Half of all changes are deletions, which need neither an event nor a count.
        filters=[
            lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.or_("INSERT", "MODIFY")})
        ],
        max_record_age=_GIVE_UP_AFTER,
        **options,
    ).node.default_child
    assert isinstance(mapping, lambda_.CfnEventSourceMapping)
    mapping.add_property_override("DestinationConfig.OnFailure.Destination", dead_letters.queue_arn)
