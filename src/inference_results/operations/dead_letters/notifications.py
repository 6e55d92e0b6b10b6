"""Notifications go to their topic again: nobody else may send to its queue (decision 0005)."""

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

_REFUSED_FOR_ITSELF: Final = frozenset({"InvalidParameter", "InvalidParameterValue"})


class NotificationRedrive:
    """To the topic that `topic_of` finds for a letter, by an SNS client of boto3."""

    def __init__(self, sns: Any, topic_of: Callable[[DeadLetter], str | None]) -> None:
        self._sns = sns
        self._topic_of = topic_of

    def judge(self, letter: DeadLetter) -> Assessment:
        """By the same parser that the function asks."""
        try:
            event = parse_notification(unwrap_envelope(letter.body))
        except Unprocessable as why:
            return Assessment(would_pass=False, why=f"would fail again: {why}{_before(letter)}")
        if self._topic_of(letter) is None:
            return Assessment(
                would_pass=False, why="no topic: its source is no queue of this stack"
            )
        if isinstance(event, TestNotification):
            return Assessment(would_pass=True, why=f"a test: would be ignored{_before(letter)}")
        return Assessment(
            would_pass=True,
            why=f"would be recorded{_before(letter)}",
            inference_id=event.inference_id,
            endpoint_name=event.endpoint_name,
            status=event.status,
        )

    def redrive(self, letter: DeadLetter) -> None:
        """As SageMaker published it, without an envelope of SNS."""
        topic = self._topic_of(letter)
        with translate_aws_errors("sns"):
            try:
                self._sns.publish(TopicArn=topic, Message=unwrap_envelope(letter.body))
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _REFUSED_FOR_ITSELF:
                    raise StillFailing(f"SNS does not take it: {code}") from error
                raise


def topic_of_queue(stack: Stack, name: QueueName) -> Callable[[DeadLetter], str | None]:
    """Of the letters of one queue. Those that were parked name the queue that they came from.

    Raises InvalidRequest if the stack lacks an output.
    """
    success, error = stack.topics
    if name is QueueName.UNPROCESSABLE:
        topics = {
            _place_of_url(stack[StackOutput.COMPLETED_QUEUE_URL]): success,
            _place_of_url(stack[StackOutput.FAILED_QUEUE_URL]): error,
        }
        return lambda letter: topics.get(_place_of_arn(letter.attributes))
    failed = name in (QueueName.FAILED, QueueName.FAILED_SUBSCRIPTION)
    return lambda letter: error if failed else success


def _before(letter: DeadLetter) -> str:
    """What was said of it when it came here: by the function that parked it, or by SNS."""
    said = [
        letter.attributes[name]
        for name in ("reason", "detail", "ErrorCode", "ErrorMessage")
        if name in letter.attributes
    ]
    return f" (it came with {': '.join(said)})" if said else ""


def _place_of_url(url: str) -> tuple[str, ...]:
    """Account and name."""
    return tuple(url.split("/")[-2:])


def _place_of_arn(attributes: Any) -> tuple[str, ...]:
    return tuple(attributes.get("source_queue_arn", "").split(":")[-2:])
