"""Lambda's poller of a queue, in full batches; that of the embedded AWS takes ten at most."""

import math
from collections.abc import Iterator
from typing import Any, Final

import boto3

from benchmarks.cost.deployed import Function

_MOST_MESSAGES: Final = 10
"""That one ReceiveMessage or DeleteMessageBatch takes."""
_CHUNK_BYTES: Final = 64 * 1024
"""What SQS takes for one request."""


class Poller:
    """Hands a queue's messages to a function, as its mapping would. `requests`: those to SQS."""

    def __init__(self, queue_url: str, function: Function) -> None:
        self._url = queue_url
        self._sqs = boto3.client("sqs")
        arn = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        self._arn = arn["Attributes"]["QueueArn"]
        self._function = function
        self.requests = 0

    def empty(self, batch: int) -> None:
        """Until the queue is empty. Raises ValueError if the function reports failures."""
        while messages := list(self._received(batch)):
            records = [self._record(each) for each in messages]
            answer = self._function.invoke({"Records": records})
            if answer["batchItemFailures"]:
                raise ValueError(f"to be delivered again: {answer['batchItemFailures']}")
            for start in range(0, len(messages), _MOST_MESSAGES):
                self._delete(messages[start : start + _MOST_MESSAGES])

    def _received(self, batch: int) -> Iterator[Any]:
        for start in range(0, batch, _MOST_MESSAGES):
            messages = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(_MOST_MESSAGES, batch - start),
                MessageSystemAttributeNames=["All"],
            ).get("Messages")
            if not messages:  # the end, which a queue in use does not come to
                return
            received = sum(len(each["Body"].encode()) for each in messages)
            self.requests += math.ceil(received / _CHUNK_BYTES)
            yield from messages

    def _delete(self, messages: list[Any]) -> None:
        entries: Any = [
            {"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]}
            for at, each in enumerate(messages)
        ]
        self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        self.requests += 1

    def _record(self, message: Any) -> dict[str, Any]:
        """As Lambda hands it over."""
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": "us-east-1",
        }
