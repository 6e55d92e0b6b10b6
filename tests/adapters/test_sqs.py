import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from inference_results.adapters.sqs import UnprocessableQueue
from inference_results.domain.record.errors import Reason, Unavailable, Unprocessable
from tests.fakes import message

WHY = Unprocessable(Reason.MISSING_FIELD, "inferenceId", "a value")


@pytest.fixture
def queue_url(aws):
    return boto3.client("sqs").create_queue(QueueName="unprocessable")["QueueUrl"]


@pytest.mark.parametrize("body", ["not json", "ü 日本", "x" * 256 * 1024], ids=len)
def test_a_parked_message_keeps_its_body_and_says_why_and_whence(queue_url, body):
    UnprocessableQueue(boto3.client("sqs"), queue_url).park(message(body), WHY)
    (parked,) = boto3.client("sqs").receive_message(
        QueueUrl=queue_url, MessageAttributeNames=["All"]
    )["Messages"]
    assert parked["Body"] == body
    attributes = {name: each["StringValue"] for name, each in parked["MessageAttributes"].items()}
    assert attributes == {
        "reason": "MissingField",
        "detail": "inferenceId: expected a value",
        "source_message_id": "message-1",
        "source_queue_arn": "arn:aws:sqs:eu-west-1:123456789012:completed",
    }


def test_an_empty_body_is_parked_as_a_space_because_sqs_takes_no_empty_one(queue_url):
    UnprocessableQueue(boto3.client("sqs"), queue_url).park(message(""), WHY)
    (parked,) = boto3.client("sqs").receive_message(QueueUrl=queue_url)["Messages"]
    assert parked["Body"] == " "


def test_a_message_that_sqs_refuses_is_an_error_so_that_it_is_delivered_again(aws):
    client = boto3.client("sqs")
    with Stubber(client) as stub:
        stub.add_client_error("send_message", "InvalidParameterValue", http_status_code=400)
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            UnprocessableQueue(client, "https://queue").park(message("x" * 1024 * 1024), WHY)


@pytest.mark.parametrize("code", ["RequestThrottled", "AWS.SimpleQueueService.RequestThrottled"])
def test_an_sqs_that_throttles_may_take_it_later(aws, code):
    client = boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}))
    with Stubber(client) as stub:
        stub.add_client_error("send_message", code, http_status_code=400)
        with pytest.raises(Unavailable, match="sqs: RequestThrottled"):
            UnprocessableQueue(client, "https://queue").park(message("x"), WHY)
