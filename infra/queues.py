"""Encrypted queues."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .nag import acknowledge

_RETENTION = cdk.Duration.days(14)


def encrypted_queue(
    scope: Construct,
    id: str,
    *,
    key: kms.IKey | None,
    visibility_timeout: cdk.Duration | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """Create an encrypted queue that keeps messages for 14 days and requires TLS.

    Without `key`, SQS encrypts it (SSE-SQS): SNS cannot send to a queue under the AWS managed key.
    """
    return sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=_RETENTION,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
    )


def dead_letter_queue(scope: Construct, id: str, *, source: str, key: kms.IKey | None) -> sqs.Queue:
    """Create the dead-letter queue of a subscription or a stream mapping."""
    queue = encrypted_queue(scope, id, key=key)
    acknowledge(
        queue,
        "SQS3",
        f"This is the dead-letter queue of a {source}, which the rule does not detect.",
    )
    return queue


def unprocessable_queue(scope: Construct, id: str, *, key: kms.IKey | None) -> sqs.Queue:
    """Create the queue for messages that no retry can help."""
    queue = encrypted_queue(scope, id, key=key)
    acknowledge(
        queue,
        "SQS3",
        "No function consumes it: it holds unprocessable messages until an operator acts.",
    )
    return queue
