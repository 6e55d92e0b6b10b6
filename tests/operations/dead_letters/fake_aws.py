"""A fake AWS with queues, topics, a stream and functions, all in memory.

A test can make any call fail, before or after it takes effect.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError

from inference_results.contract import StackOutput

ACCOUNT = "123456789012"
SUCCESS = f"arn:aws:sns:us-east-1:{ACCOUNT}:completed"
ERROR = f"arn:aws:sns:us-east-1:{ACCOUNT}:failed"
STREAM = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/inferences/stream/2026-01-01T00:00:00.000"
SHARD = "shardId-00000001735776000000-0a1b2c3d"
FUNCTIONS = {
    StackOutput.SUMMARIZE_FUNCTION_NAME: "summarize",
    StackOutput.PUBLISH_EVENTS_FUNCTION_NAME: "publish_events",
}


def url(name: str) -> str:
    return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}"


def arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


URLS = {
    "completed": url("completed-dead"),
    "failed": url("failed-dead"),
    "completed-subscription": url("completed-undelivered"),
    "failed-subscription": url("failed-undelivered"),
    "unprocessable": url("unprocessable"),
    "summaries": url("summaries-dead"),
    "events": url("events-dead"),
}


def outputs() -> dict[str, str]:
    return {
        StackOutput.SUCCESS_TOPIC_ARN: SUCCESS,
        StackOutput.ERROR_TOPIC_ARN: ERROR,
        StackOutput.TABLE_NAME: "inferences",
        StackOutput.COMPLETED_QUEUE_URL: url("completed"),
        StackOutput.FAILED_QUEUE_URL: url("failed"),
        StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL: URLS["completed"],
        StackOutput.FAILED_DEAD_LETTER_QUEUE_URL: URLS["failed"],
        StackOutput.COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL: URLS["completed-subscription"],
        StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL: URLS["failed-subscription"],
        StackOutput.UNPROCESSABLE_QUEUE_URL: URLS["unprocessable"],
        StackOutput.SUMMARY_DEAD_LETTER_QUEUE_URL: URLS["summaries"],
        StackOutput.EVENT_DEAD_LETTER_QUEUE_URL: URLS["events"],
        **FUNCTIONS,
    }


def client_error(operation: str, code: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


@dataclass
class Message:
    message_id: str
    body: str
    attributes: dict[str, str] = field(default_factory=dict)
    sent_at: datetime = datetime(2026, 1, 25, 12, tzinfo=UTC)
    receives: int = 0
    hidden: bool = False

    @property
    def receipt_handle(self) -> str:
        return f"{self.message_id}/{self.receives}"


@dataclass
class FakeAws:
    """The state of all services.

    `inject_fault` is called before and after each call, with the call's number, its operation and
    "before" or "after". `respond` is the function that is invoked.
    """

    outputs: dict[str, str] = field(default_factory=outputs)
    queues: dict[str, list[Message]] = field(
        default_factory=lambda: {each: [] for each in URLS.values()}
    )
    published: list[tuple[str, str]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 3
    """Records in one page of the stream."""
    trimmed: bool = False
    invoked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    respond: Callable[[dict[str, Any]], Any] = lambda event: {"batchItemFailures": []}
    function_error: bool = False
    calls: list[str] = field(default_factory=list)
    visibility_timeouts: set[int] = field(default_factory=set)
    inject_fault: Callable[[int, str, str], None] = lambda number, operation, when: None

    def put(self, queue: str, body: str, **attributes: str) -> str:
        message_id = f"{queue}-{len(self.queues[URLS[queue]])}"
        self.queues[URLS[queue]].append(Message(message_id, body, attributes))
        return message_id

    def ids(self, queue: str) -> list[str]:
        return [each.message_id for each in self.queues[URLS[queue]]]

    def hidden(self, queue: str) -> list[str]:
        return [each.message_id for each in self.queues[URLS[queue]] if each.hidden]

    def client(self, service: str, config: Any = None) -> "FakeClient":
        return FakeClient(self)


class FakeClient:
    """The operations of all services, named as in boto3."""

    def __init__(self, aws: FakeAws) -> None:
        self._aws = aws

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            number = len(self._aws.calls)
            self._aws.calls.append(operation)
            self._aws.inject_fault(number, operation, "before")
            response = getattr(self, f"_{operation}")(**parameters)
            self._aws.inject_fault(number, operation, "after")
            return response

        if operation.startswith("_"):
            raise AttributeError(operation)
        return call

    def _describe_stacks(self, StackName: str) -> Any:
        outputs = [{"OutputKey": k, "OutputValue": v} for k, v in self._aws.outputs.items()]
        stack = {"StackId": StackName, "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}
        return {"Stacks": [stack]}

    def _get_queue_attributes(self, QueueUrl: str, AttributeNames: Sequence[str]) -> Any:
        messages = self._aws.queues[QueueUrl]
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(sum(not each.hidden for each in messages)),
                "ApproximateNumberOfMessagesNotVisible": str(sum(each.hidden for each in messages)),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        }

    def _receive_message(
        self, QueueUrl: str, MaxNumberOfMessages: int, VisibilityTimeout: int, **_: Any
    ) -> Any:
        assert 0 < VisibilityTimeout <= 43_200
        self._aws.visibility_timeouts.add(VisibilityTimeout)
        messages = self._aws.queues[QueueUrl]
        received = [each for each in messages if not each.hidden][:MaxNumberOfMessages]
        for each in received:
            each.hidden = True
            each.receives += 1
        return {"Messages": [_received(each) for each in received]} if received else {}

    def _change_message_visibility(
        self, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int
    ) -> Any:
        assert VisibilityTimeout == 0
        for each in self._aws.queues[QueueUrl]:
            if each.receipt_handle == ReceiptHandle and each.hidden:
                each.hidden = False
                return
        raise client_error("ChangeMessageVisibility", "AWS.SimpleQueueService.MessageNotInflight")

    def _delete_message(self, QueueUrl: str, ReceiptHandle: str) -> Any:
        messages = self._aws.queues[QueueUrl]
        messages[:] = [each for each in messages if each.receipt_handle != ReceiptHandle]

    def _publish(self, TopicArn: str, Message: str) -> Any:
        if len(Message.encode()) > 262_144:
            raise client_error("Publish", "InvalidParameter")
        self._aws.published.append((TopicArn, Message))

    def _get_shard_iterator(
        self, StreamArn: str, ShardId: str, ShardIteratorType: str, SequenceNumber: str
    ) -> Any:
        assert (StreamArn, ShardId, ShardIteratorType) == (STREAM, SHARD, "AT_SEQUENCE_NUMBER")
        if self._aws.trimmed:
            raise client_error("GetShardIterator", "TrimmedDataAccessException")
        sequences = [each["dynamodb"]["SequenceNumber"] for each in self._aws.records]
        return {"ShardIterator": str(sequences.index(SequenceNumber))}

    def _get_records(self, ShardIterator: str) -> Any:
        start = int(ShardIterator)
        page = self._aws.records[start : start + self._aws.page_size]
        return {"Records": page, "NextShardIterator": str(start + len(page))}

    def _invoke(self, FunctionName: str, Payload: bytes) -> Any:
        assert len(Payload) < 6_000_000
        event = json.loads(Payload)
        payload = self._aws.respond(event)
        self._aws.invoked.append((FunctionName, event))
        response = {"Payload": BytesIO(json.dumps(payload).encode())}
        return response | ({"FunctionError": "Unhandled"} if self._aws.function_error else {})


def _received(message: Message) -> dict[str, Any]:
    sent = int(message.sent_at.timestamp() * 1000)
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "Body": message.body,
        "Attributes": {
            "SentTimestamp": str(sent),
            "ApproximateReceiveCount": str(message.receives),
        },
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in message.attributes.items()
        },
    }


def record(sequence: int, event_name: str = "MODIFY", **image: Any) -> dict[str, Any]:
    """A change as boto3 reads it from the stream, with Python's types for times and bytes."""
    return {
        "eventID": f"event-{sequence}",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime(2026, 1, 25, 12, tzinfo=UTC),
            "Keys": {"inference_id": {"S": "a"}, "endpoint_name": {"S": "speech"}},
            "NewImage": image or {"inference_id": {"S": "a"}},
            "SequenceNumber": str(sequence),
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def stream_batch(first: int, last: int, *, hours_ago: float = 13, **info: Any) -> str:
    """The message that Lambda sends when it gives up a stream batch."""
    arrived = (datetime.now(UTC) - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(
        {
            "requestContext": {
                "requestId": "1",
                "functionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:summarize",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 300,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": "2026-01-25T12:00:00.000Z",
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": str(first),
                "endSequenceNumber": str(last),
                "approximateArrivalOfFirstRecord": arrived,
                "approximateArrivalOfLastRecord": arrived,
                "batchSize": last - first + 1,
                "streamArn": STREAM,
                **info,
            },
        }
    )
