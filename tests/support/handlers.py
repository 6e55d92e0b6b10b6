"""Lambda handlers with exactly the environment variables that the template sets.

A folder of tests imports the fixtures in its conftest.
"""

import importlib
import logging
import sys
from dataclasses import dataclass

import boto3
import pytest

from tests.support.cloudformation import resources

BUCKET = "customer-outputs"


@dataclass
class Context:
    """The part of the Lambda context that handlers use."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "request-1"
    remaining_ms: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@pytest.fixture
def context():
    return Context()


@pytest.fixture
def unprocessable_queue_url(aws):
    return boto3.client("sqs").create_queue(QueueName="unprocessable")["QueueUrl"]


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def load_handler(template, table_name, summaries_table_name, unprocessable_queue_url, monkeypatch):
    """Return a function that imports a handler afresh, with the environment of its function."""
    references = {
        "InferencesTable": table_name,
        "SummariesTable": summaries_table_name,
        "UnprocessableQueue": unprocessable_queue_url,
        "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/InferenceResults/1",
    }

    def resolve(value):
        match value:
            case {"Ref": name}:
                return next(each for known, each in references.items() if known in name)
            case {"Fn::GetAtt": [logical_id, "Arn"]} if "InferencesTable" in logical_id:
                return f"arn:aws:dynamodb:us-east-1:123456789012:table/{table_name}"
            case {"Fn::GetAtt": [logical_id, "Arn"]} if "EventPublisherBus" in logical_id:
                return "arn:aws:events:us-east-1:123456789012:event-bus/inference-events"
        assert isinstance(value, str), f"expected a string, Ref or Fn::GetAtt, got {value}"
        return value

    def load(name, template=template):
        handler = f"functions.{name}.handler"
        functions = [
            each["Properties"]
            for each in resources(template, "AWS::Lambda::Function").values()
            if each["Properties"]["Handler"] == handler
        ]
        for variable, value in functions[0]["Environment"]["Variables"].items():
            monkeypatch.setenv(variable, resolve(value))
        sys.modules.pop(f"functions.{name}", None)
        # A cached logger would still write to the standard output of an earlier test.
        logging.Logger.manager.loggerDict.pop(name, None)
        return importlib.import_module(f"functions.{name}").handler

    return load


def sqs_event(*bodies, receive_count=1):
    """Return an SQS event as Lambda sends it. Message ids are `message-0`, `message-1` etc."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "handle",
                "body": each,
                "attributes": {"ApproximateReceiveCount": str(receive_count)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
                "awsRegion": "us-east-1",
            }
            for number, each in enumerate(bodies)
        ]
    }


def returned_ids(response):
    """Return the ids of the messages that a handler returns to the queue."""
    return sorted(each["itemIdentifier"] for each in response["batchItemFailures"])
