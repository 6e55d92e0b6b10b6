"""How a function reads the stream of the inferences.

A shard of a stream serves two readers at a time: there is no room for a third.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from inference_results.contract import STREAM_RETRY_HOURS

from .function import HandlerFunction

_GIVE_UP_AFTER = cdk.Duration.hours(STREAM_RETRY_HOURS)
"""The stream keeps a change for 24 hours: what is given up can still be read for half of them."""


def stream_statements(stream_arn: str, dead_letter_queue: sqs.IQueue) -> list[iam.PolicyStatement]:
    """What a function needs to read the stream, and Lambda to tell what it gave up."""
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
    """Run a function on the stream, shard by shard and in order, from its beginning.

    A batch that fails is halved and tried again, for half a day at most: then Lambda tells the
    dead-letter queue which part of the stream it was. `options` are those of EventSourceMapping.
    """
    # Not the destination of aws_lambda_event_sources: it grants more than to send.
    mapping = handler.function.add_event_source_mapping(
        "Stream",
        event_source_arn=stream_arn,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        bisect_batch_on_error=True,
        # Records that go are neither counted nor announced: half of all changes need no call.
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
