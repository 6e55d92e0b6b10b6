"""Lambda's SQS poller with full batches. That of the embedded AWS receives at most ten messages."""

import math
from collections.abc import Iterator
from typing import Any, Final

import boto3

from benchmarks.cost.deployed_functions import Function

_MESSAGES_PER_CALL: Final = 10
"""Limit of ReceiveMessage and DeleteMessageBatch."""
_CHUNK_BYTES: Final = 64 * 1024
"""SQS charges one request per started chunk."""


class SqsPoller:
    """Passes a queue's messages to a function, like its mapping. `requests` counts those to SQS."""

    def __init__(self, queue_url: str, function: Function) -> None:
        self._url = queue_url
        self._sqs = boto3.client("sqs")
        arn = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        self._arn = arn["Attributes"]["QueueArn"]
        self._function = function
        self.requests = 0

    def drain(self, batch_size: int) -> None:
        """Process messages until the queue is empty.

        Raises ValueError if the function returns messages.
        """
        while messages := list(self._receive(batch_size)):
            records = [self._record(each) for each in messages]
            response = self._function.invoke({"Records": records})
            if response["batchItemFailures"]:
                raise ValueError(f"messages returned: {response['batchItemFailures']}")
            for start in range(0, len(messages), _MESSAGES_PER_CALL):
                self._delete(messages[start : start + _MESSAGES_PER_CALL])

    def _receive(self, batch_size: int) -> Iterator[Any]:
        for start in range(0, batch_size, _MESSAGES_PER_CALL):
            messages = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(_MESSAGES_PER_CALL, batch_size - start),
                MessageSystemAttributeNames=["All"],
            ).get("Messages")
            if not messages:  # not counted: a queue under load is not empty
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
        """Convert a message to the record of a Lambda event."""
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
