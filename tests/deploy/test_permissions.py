"""Who is refused, under enforcement."""

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.contract import StackOutput
from local.deployment import OUTPUT_BUCKET
from local.environment import EXECUTION_ROLE, READER_ROLE

QUEUES = (StackOutput.COMPLETED_QUEUE_URL, StackOutput.FAILED_QUEUE_URL)


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("profile", [None, EXECUTION_ROLE, READER_ROLE])
def test_whoever_is_not_the_topic_cannot_send_to_a_queue(outputs, queue, profile):
    """Not even the account's root, who may do anything that is not forbidden."""
    sqs = boto3.Session(profile_name=profile).client("sqs")
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message(QueueUrl=outputs[queue], MessageBody="forged")


def test_a_role_that_is_not_named_cannot_publish(outputs):
    sns = boto3.Session(profile_name=READER_ROLE).client("sns")
    with pytest.raises(ClientError, match="AuthorizationError|AccessDenied"):
        sns.publish(TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message="forged")


def test_an_execution_role_can_publish_and_write_and_nothing_else(outputs):
    session = boto3.Session(profile_name=EXECUTION_ROLE)
    session.client("sns").publish(
        TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN],
        Message='{"eventName": "TestNotification"}',
    )
    session.client("s3").put_object(
        Bucket=OUTPUT_BUCKET, Key=outputs["OutputPrefix"] + "allowed", Body=b""
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("s3").put_object(Bucket=OUTPUT_BUCKET, Key="elsewhere", Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("dynamodb").scan(TableName=outputs[StackOutput.TABLE_NAME])
