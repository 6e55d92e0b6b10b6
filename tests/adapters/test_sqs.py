import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from inference_results.adapters.sqs import UnprocessableQueue
from inference_results.domain.record.errors import Reason, Unavailable, Unprocessable
from tests.support.fakes import message

ERROR = Unprocessable(Reason.MISSING_FIELD, "inferenceId", "a value")


@pytest.fixture
def queue_url(aws):
    return boto3.client("sqs").create_queue(QueueName="unprocessable")["QueueUrl"]


@pytest.mark.parametrize("body", ["not json", "ü 日本", "x" * 256 * 1024], ids=len)
def test_a_rejected_message_keeps_its_body_reason_and_source(queue_url, body):
    UnprocessableQueue(boto3.client("sqs"), queue_url).reject(message(body), ERROR)
    (rejected,) = boto3.client("sqs").receive_message(
        QueueUrl=queue_url, MessageAttributeNames=["All"]
    )["Messages"]
    assert rejected["Body"] == body
    attributes = {name: each["StringValue"] for name, each in rejected["MessageAttributes"].items()}
    assert attributes == {
        "reason": "MissingField",
        "detail": "inferenceId: expected a value",
        "source_message_id": "message-1",
        "source_queue_arn": "arn:aws:sqs:eu-west-1:123456789012:completed",
    }


def test_an_empty_body_is_sent_as_a_space_because_sqs_rejects_it(queue_url):
    UnprocessableQueue(boto3.client("sqs"), queue_url).reject(message(""), ERROR)
    (rejected,) = boto3.client("sqs").receive_message(QueueUrl=queue_url)["Messages"]
    assert rejected["Body"] == " "


def test_a_message_that_sqs_rejects_raises_so_that_it_is_delivered_again(aws):
    client = boto3.client("sqs")
    with Stubber(client) as stub:
        stub.add_client_error("send_message", "InvalidParameterValue", http_status_code=400)
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            UnprocessableQueue(client, "https://queue").reject(message("x" * 1024 * 1024), ERROR)


@pytest.mark.parametrize("code", ["RequestThrottled", "AWS.SimpleQueueService.RequestThrottled"])
def test_sqs_throttling_is_unavailable(aws, code):
    client = boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}))
    with Stubber(client) as stub:
        stub.add_client_error("send_message", code, http_status_code=400)
        with pytest.raises(Unavailable, match="sqs: RequestThrottled"):
            UnprocessableQueue(client, "https://queue").reject(message("x"), ERROR)
