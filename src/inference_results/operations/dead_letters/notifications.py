"""Redrive notifications: publish them to their topic again.

Only the topic can send to its queue: docs/decisions/0005-only-the-topic-sends.md.
"""

from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from inference_results.client.transports.aws_errors import translate_aws_errors
from inference_results.contract import StackOutput
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.results.notification import (
    TestNotification,
    parse_notification,
    unwrap_envelope,
)
from inference_results.operations.dead_letters.queues import DeadLetter, QueueName
from inference_results.operations.dead_letters.redrive import Assessment, StillFailing
from inference_results.operations.stack import Stack

_INVALID_MESSAGE_CODES: Final = frozenset({"InvalidParameter", "InvalidParameterValue"})


class NotificationRedriver:
    """Publish messages with a boto3 SNS client, each to the topic that `find_topic` returns."""

    def __init__(self, sns: Any, find_topic: Callable[[DeadLetter], str | None]) -> None:
        self._sns = sns
        self._find_topic = find_topic

    def assess(self, message: DeadLetter) -> Assessment:
        """Parse the message as the function record_result does."""
        try:
            notification = parse_notification(unwrap_envelope(message.body))
        except Unprocessable as error:
            return Assessment(
                redrivable=False, reason=f"would fail again: {error}{_original_error(message)}"
            )
        if self._find_topic(message) is None:
            return Assessment(
                redrivable=False,
                reason="unknown topic: source_queue_arn does not name a queue of this stack",
            )
        if isinstance(notification, TestNotification):
            return Assessment(
                redrivable=True,
                reason=f"test notification: would be ignored{_original_error(message)}",
            )
        return Assessment(
            redrivable=True,
            reason=f"would be recorded{_original_error(message)}",
            inference_id=notification.inference_id,
            endpoint_name=notification.endpoint_name,
            status=notification.status,
        )

    def redrive(self, message: DeadLetter) -> None:
        """Publish the notification as SageMaker did, without an SNS envelope."""
        topic = self._find_topic(message)
        with translate_aws_errors("sns"):
            try:
                self._sns.publish(TopicArn=topic, Message=unwrap_envelope(message.body))
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _INVALID_MESSAGE_CODES:
                    raise StillFailing(f"SNS rejects the message: {code}") from error
                raise


def topic_finder(stack: Stack, name: QueueName) -> Callable[[DeadLetter], str | None]:
    """Return a function that finds the topic of a message in this queue, or None.

    Unprocessable messages name the queue that they come from. Raises InvalidRequest if the stack
    lacks an output.
    """
    success, error = stack.topics
    if name is QueueName.UNPROCESSABLE:
        topics = {
            _queue_from_url(stack[StackOutput.COMPLETED_QUEUE_URL]): success,
            _queue_from_url(stack[StackOutput.FAILED_QUEUE_URL]): error,
        }
        return lambda message: topics.get(
            _queue_from_arn(message.attributes.get("source_queue_arn", ""))
        )
    topic = error if name in (QueueName.FAILED, QueueName.FAILED_SUBSCRIPTION) else success
    return lambda message: topic


def _original_error(message: DeadLetter) -> str:
    """Format the error that record_result or SNS attached to the message."""
    parts = [
        message.attributes[name]
        for name in ("reason", "detail", "ErrorCode", "ErrorMessage")
        if name in message.attributes
    ]
    return f" (original error: {': '.join(parts)})" if parts else ""


def _queue_from_url(url: str) -> tuple[str, ...]:
    """Return account and name."""
    return tuple(url.split("/")[-2:])


def _queue_from_arn(arn: str) -> tuple[str, ...]:
    """Return account and name."""
    return tuple(arn.split(":")[-2:])
