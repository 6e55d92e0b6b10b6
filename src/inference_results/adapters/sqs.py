"""The SQS queue of unprocessable messages."""

from typing import TYPE_CHECKING

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.results.ports import Message

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class UnprocessableQueue:
    """Keeps the body of a message unchanged, and its reason and source in message attributes.

    If the body is so large that the attributes do not fit, SQS rejects it. The message is then
    delivered again, and ends in the dead-letter queue of its source queue.
    """

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def reject(self, message: Message, error: Unprocessable) -> None:
        """Send the message to the queue. Raises Unavailable."""
        attributes = {
            "reason": error.reason,
            "detail": error.detail,
            "source_message_id": message.message_id,
            "source_queue_arn": message.queue_arn,
        }
        with translate_unavailable("sqs"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=message.body or " ",  # SQS rejects an empty body
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )
