"""SQS batches of notifications, with their outputs in S3."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import boto3
from botocore.config import Config

from benchmarks.notifications import completed, message
from inference_results.contract import Attribute

BUCKET: Final = "benchmark-outputs"
TABLE: Final = "inferences"
_WRITERS: Final = 8
_ENDED: Final = datetime(2026, 11, 25, 12, 3, 21, 456_000, tzinfo=UTC)


class Context:
    """The part of Lambda's context object that handlers use."""

    function_name = "record_result"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:record_result"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def create_resources() -> None:
    """Create the output bucket and the table."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    create_table(TABLE)


def create_table(name: str) -> None:
    """Create a table with the primary key of the inferences table and no indexes."""
    key = {Attribute.INFERENCE_ID: "HASH", Attribute.ENDPOINT_NAME: "RANGE"}
    schema: Any = {
        "KeySchema": [{"AttributeName": each, "KeyType": kind} for each, kind in key.items()],
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in key],
    }
    boto3.client("dynamodb").create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **schema)


def put_output(size: int) -> str:
    """Store an output of `size` bytes that all notifications of a case share. Return its key."""
    key = f"async-output/{size}.out"
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"0" * size)
    return key


def new_ids(count: int) -> list[str]:
    """Generate inference ids in SageMaker's format."""
    return [str(uuid.uuid4()) for _ in range(count)]


def batch(ids: Sequence[str], key: str) -> dict[str, Any]:
    """Build an SQS event with one completed notification per id."""
    return {"Records": [sqs_record(each, message(_notification(each, key))) for each in ids]}


def register(ids: Sequence[str]) -> None:
    """Write the records that registration leaves: in progress, without event_time."""
    dynamodb = boto3.client("dynamodb", config=Config(max_pool_connections=_WRITERS))

    def put(inference_id: str) -> None:
        location = f"s3://{BUCKET}/async-output/{inference_id}.out"
        dynamodb.put_item(
            TableName=TABLE,
            Item={
                "inference_id": {"S": inference_id},
                "endpoint_name": {"S": "speech"},
                "status": {"S": "InProgress"},
                "submitted_at": {"S": "2026-11-25T12:00:00.000Z"},
                "deadline": {"S": "2026-11-25T18:00:00.000Z"},
                "submission": {"M": {"output_location": {"S": location}}},
            },
        )

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(put, ids))


def _notification(inference_id: str, key: str) -> dict[str, Any]:
    return completed(
        inference_id,
        f"s3://{BUCKET}/{key}",
        input_location=f"s3://{BUCKET}/async-input/{inference_id}.json",
        ended=_ENDED,
    )


def sqs_record(message_id: str, body: str) -> dict[str, Any]:
    """Build an SQS record with all attributes that Lambda sends, under raw message delivery."""
    return {
        "messageId": message_id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795608201500",
            "SenderId": "AIDAIT2UOQQY3AUEKVGXU",
            "ApproximateFirstReceiveTimestamp": "1795608201600",
        },
        "messageAttributes": {},
        "md5OfBody": "7b270e59b47ff90a553787216d55d91d",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
        "awsRegion": "us-east-1",
    }
