"""The queues of what was left over, and the messages in them.

HeldMessages a message hides it from other readers. So it is hidden for a short time, and given back when
the hold_messages ends, however it ends.
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

_MOST_RECEIVED: Final = 10
"""Of one call, by SQS's own limit."""
LONGEST_HOLD_SECONDS: Final = 43_200
"""For how many seconds SQS hides a message at most."""

_LOOKS_FOR_MORE: Final = 3
"""SQS asks a part of its servers at a time, and may tell again what was seen."""


class QueueName(StrEnum):
    """What the commands call a queue."""

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
    """Raises InvalidRequest if the stack has no such queue."""
    return stack[_OUTPUTS[name]]


def queue_urls(stack: Stack) -> dict[QueueName, str]:
    """Each queue of a stack once: with one topic for both, those of its two channels are the same.

    Raises InvalidRequest if it is no stack of this service.
    """
    urls = {QueueName.COMPLETED: queue_url(stack, QueueName.COMPLETED)}
    for name, output in _OUTPUTS.items():
        url = stack.outputs.get(output)
        if url and url not in urls.values():
            urls[name] = url
    return urls


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message of a queue. Its body and attributes are whatever somebody sent."""

    message_id: str
    sent_at: datetime
    """When it was first sent: SQS keeps that when it moves a message to a dead-letter queue."""
    receive_count: int
    body: str
    attributes: Mapping[str, str]
    """Binary ones as `base64:...`."""
    receipt_handle: str


class MessageQueue:
    """A queue, by an SQS client of boto3.

    Everything raises NotAuthorized, ServiceUnavailable or UnexpectedResponse.
    """

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def count(self) -> int:
        """About how many messages there are, with those that somebody reads at the moment."""
        names = [f"ApproximateNumberOfMessages{each}" for each in ("", "NotVisible", "Delayed")]
        with translate_aws_errors("sqs"):
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def receive(self, hold_seconds: int) -> list[DeadLetter]:
        """Some messages, hidden from others for so long; none if there are none to be seen."""
        with translate_aws_errors("sqs"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_MOST_RECEIVED,
                VisibilityTimeout=hold_seconds,
                # Waiting, SQS asks all of its servers.
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        return [_letter(each) for each in answer.get("Messages", [])]

    def give_back(self, receipt_handle: str) -> None:
        """Show it to others again. Raises UnexpectedResponse if it is not hidden any more."""
        with translate_aws_errors("sqs"):
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=0
            )

    def delete(self, receipt_handle: str) -> None:
        with translate_aws_errors("sqs"):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt_handle)


class HeldMessages:
    """The messages of a queue, each once. Those that are not deleted are given back at the end."""

    def __init__(self, queue: MessageQueue, hold_seconds: int) -> None:
        self._queue = queue
        self._hold_seconds = hold_seconds
        self._ahead = deque[DeadLetter]()
        self._handles: dict[str, str] = {}
        self._deleted: set[str] = set()

    def __iter__(self) -> Iterator[DeadLetter]:
        while self.has_more():
            yield self._ahead.popleft()

    def has_more(self) -> bool:
        looks = _LOOKS_FOR_MORE
        while not self._ahead and looks:
            letters = self._queue.receive(self._hold_seconds)
            if not letters:
                break
            self._take(letters)
            looks -= 1
        return bool(self._ahead)

    def delete(self, letter: DeadLetter) -> None:
        self._queue.delete(self._handles[letter.message_id])
        del self._handles[letter.message_id]
        self._deleted.add(letter.message_id)

    def give_back(self) -> None:
        # If SQS cannot be reached: they show themselves again when their time is up.
        with suppress(ServiceUnavailable):
            for handle in self._handles.values():
                with suppress(UnexpectedResponse):
                    self._queue.give_back(handle)

    def _take(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            if letter.message_id in self._deleted:
                continue
            if letter.message_id not in self._handles:
                self._ahead.append(letter)
            # Of one that comes again, only the handle that was given last is good.
            self._handles[letter.message_id] = letter.receipt_handle


@contextmanager
def hold_messages(queue: MessageQueue, hold_seconds: int) -> Iterator[HeldMessages]:
    """Hides a message for `hold_seconds` at most, and until the end of the block."""
    found = HeldMessages(queue, hold_seconds)
    try:
        yield found
    finally:
        found.give_back()


def _letter(message: Mapping[str, Any]) -> DeadLetter:
    system = message["Attributes"]
    return DeadLetter(
        message_id=message["MessageId"],
        sent_at=datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC),
        receive_count=int(system["ApproximateReceiveCount"]),
        body=message["Body"],
        attributes={
            name: each["StringValue"] if "StringValue" in each else _base64(each["BinaryValue"])
            for name, each in message.get("MessageAttributes", {}).items()
        },
        receipt_handle=message["ReceiptHandle"],
    )


def _base64(value: bytes) -> str:
    return f"base64:{base64.b64encode(value).decode()}"
