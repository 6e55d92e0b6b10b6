"""The queue of messages that no retry can help."""

from typing import TYPE_CHECKING

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.results.ports import Message

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class UnprocessableQueue:
    """Keeps the body as it came; why and where from stand in message attributes.

    A body so large that the attributes no longer fit is refused by SQS. It then goes the way of
    every failing message, and ends in the dead-letter queue of the queue it came from.
    """

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def park(self, message: Message, why: Unprocessable) -> None:
        attributes = {
            "reason": why.reason,
            "detail": why.detail,
            "source_message_id": message.message_id,
            "source_queue_arn": message.queue_arn,
        }
        with translate_unavailable("sqs"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=message.body or " ",  # SQS takes no empty body
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )
