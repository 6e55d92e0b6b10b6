"""Event source mappings for the stream of the inferences table.

DynamoDB supports two readers for each shard, and both are used: do not add a third.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from inference_results.contract import STREAM_RETRY_HOURS

from .function import HandlerFunction

_GIVE_UP_AFTER = cdk.Duration.hours(STREAM_RETRY_HOURS)
"""The stream keeps changes for 24 hours, so an operator has 12 hours left to redrive them."""


def stream_statements(stream_arn: str, dead_letter_queue: sqs.IQueue) -> list[iam.PolicyStatement]:
    """Return the permissions to read the stream and to send to the dead-letter queue."""
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
        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letter_queue.queue_arn]),
    ]


def consume_stream(
    handler: HandlerFunction,
    *,
    stream_arn: str,
    dead_letter_queue: sqs.IQueue,
    **options: Any,
) -> None:
    """Run a function on the stream from its beginning, in order within each shard.

    Lambda halves and retries a failed batch for up to 12 hours, then sends a reference to its part
    of the stream to the dead-letter queue. `options` are passed to EventSourceMapping.
    """
    # aws_lambda_event_sources would grant more than sqs:SendMessage for the destination.
    mapping = handler.function.add_event_source_mapping(
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
    mapping.add_property_override(
        "DestinationConfig.OnFailure.Destination", dead_letter_queue.queue_arn
    )
