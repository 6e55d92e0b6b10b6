"""Read the messages in a stack's dead-letter queues.

Receiving a message hides it from other readers. `hold_messages` therefore hides messages for a
limited time, and releases them when its block ends, with or without an error.
"""

import base64
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from inference_results.client.errors import ServiceUnavailable, UnexpectedResponse
from inference_results.client.transports.aws_errors import translate_aws_errors
from inference_results.contract import StackOutput
from inference_results.operations.stack import Stack

MAX_HOLD_SECONDS: Final = 43_200
"""SQS's limit for a visibility timeout: 12 hours."""

_BATCH_SIZE: Final = 10
"""SQS's limit for one ReceiveMessage call."""
_MAX_REPEATS: Final = 3
"""SQS can return a message again. After so many calls without a new message, reading stops."""


class QueueName(StrEnum):
    """The queues, as the `dead-letters` commands name them."""

    COMPLETED = "completed"
    FAILED = "failed"
    COMPLETED_SUBSCRIPTION = "completed-subscription"
    FAILED_SUBSCRIPTION = "failed-subscription"
    UNPROCESSABLE = "unprocessable"
    SUMMARIES = "summaries"
    EVENTS = "events"


_OUTPUTS: Final = {
    QueueName.COMPLETED: StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL,
    QueueName.FAILED: StackOutput.FAILED_DEAD_LETTER_QUEUE_URL,
    QueueName.COMPLETED_SUBSCRIPTION: StackOutput.COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL,
    QueueName.FAILED_SUBSCRIPTION: StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL,
    QueueName.UNPROCESSABLE: StackOutput.UNPROCESSABLE_QUEUE_URL,
    QueueName.SUMMARIES: StackOutput.SUMMARY_DEAD_LETTER_QUEUE_URL,
    QueueName.EVENTS: StackOutput.EVENT_DEAD_LETTER_QUEUE_URL,
}


def queue_url(stack: Stack, name: QueueName) -> str:
    """Return the URL of a queue. Raises InvalidRequest if the stack does not have it."""
    return stack[_OUTPUTS[name]]


def queue_urls(stack: Stack) -> dict[QueueName, str]:
    """Return the URL of each queue once. With one topic, both outcomes share their queues.

    Raises InvalidRequest if the stack is not one of this service.
    """
    urls = {QueueName.COMPLETED: queue_url(stack, QueueName.COMPLETED)}
    for name, output in _OUTPUTS.items():
        url = stack.outputs.get(output)
        if url and url not in urls.values():
            urls[name] = url
    return urls


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message in one of the queues. Its body and attributes are untrusted input."""

    message_id: str
    sent_at: datetime
    """When it was first sent. SQS keeps this time when it moves a message to another queue."""
    receive_count: int
    body: str
    attributes: Mapping[str, str]
    """Binary values have the form `base64:...`."""
    receipt_handle: str


class MessageQueue:
    """Count, receive, release and delete the messages of a queue, with a boto3 SQS client.

    All methods raise NotAuthorized, ServiceUnavailable or UnexpectedResponse.
    """

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def count(self) -> int:
        """Return the approximate number of messages, including those that readers hold."""
        names = [f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed")]
        with translate_aws_errors("sqs"):
            response = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return sum(int(response["Attributes"][name]) for name in names)

    def receive(self, hold_seconds: int) -> list[DeadLetter]:
        """Receive up to ten messages, and hide them from other readers for `hold_seconds`."""
        with translate_aws_errors("sqs"):
            response = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH_SIZE,
                VisibilityTimeout=hold_seconds,
                # With long polling SQS queries all of its servers, otherwise only a sample.
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        return [_parse_message(message) for message in response.get("Messages", [])]

    def release(self, receipt_handle: str) -> None:
        """Make a message visible again. Raises UnexpectedResponse if it is no longer hidden."""
        with translate_aws_errors("sqs"):
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=0
            )

    def delete(self, receipt_handle: str) -> None:
        with translate_aws_errors("sqs"):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt_handle)


class HeldMessages:
    """Iterate over the messages of a queue, each once, and hold them until `release`."""

    def __init__(self, queue: MessageQueue, hold_seconds: int) -> None:
        self._queue = queue
        self._hold_seconds = hold_seconds
        self._buffer = deque[DeadLetter]()
        self._receipt_handles: dict[str, str] = {}
        self._deleted: set[str] = set()

    def __iter__(self) -> Iterator[DeadLetter]:
        while self.has_more():
            yield self._buffer.popleft()

    def has_more(self) -> bool:
        calls_left = _MAX_REPEATS
        while not self._buffer and calls_left:
            messages = self._queue.receive(self._hold_seconds)
            if not messages:
                break
            self._add(messages)
            calls_left -= 1
        return bool(self._buffer)

    def delete(self, message: DeadLetter) -> None:
        self._queue.delete(self._receipt_handles[message.message_id])
        del self._receipt_handles[message.message_id]
        self._deleted.add(message.message_id)

    def release(self) -> None:
        """Make all messages visible again that were not deleted."""
        # If SQS is unreachable, they become visible when their visibility timeout ends.
        with suppress(ServiceUnavailable):
            for receipt_handle in self._receipt_handles.values():
                with suppress(UnexpectedResponse):
                    self._queue.release(receipt_handle)

    def _add(self, messages: Iterable[DeadLetter]) -> None:
        for message in messages:
            if message.message_id in self._deleted:
                continue
            if message.message_id not in self._receipt_handles:
                self._buffer.append(message)
            # Only the handle of the last receive is valid.
            self._receipt_handles[message.message_id] = message.receipt_handle


@contextmanager
def hold_messages(queue: MessageQueue, hold_seconds: int) -> Iterator[HeldMessages]:
    """Hold the messages of a queue in a `with` block, each for `hold_seconds` at most."""
    messages = HeldMessages(queue, hold_seconds)
    try:
        yield messages
    finally:
        messages.release()


def _parse_message(message: Mapping[str, Any]) -> DeadLetter:
    system = message["Attributes"]
    return DeadLetter(
        message_id=message["MessageId"],
        sent_at=datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC),
        receive_count=int(system["ApproximateReceiveCount"]),
        body=message["Body"],
        attributes={
            name: value["StringValue"] if "StringValue" in value else _base64(value["BinaryValue"])
            for name, value in message.get("MessageAttributes", {}).items()
        },
        receipt_handle=message["ReceiptHandle"],
    )


def _base64(value: bytes) -> str:
    return f"base64:{base64.b64encode(value).decode()}"
