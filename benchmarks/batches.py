"""Batches of notifications as Lambda hands them over, with their outputs in S3."""

import json
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import boto3
from botocore.config import Config

BUCKET: Final = "benchmark-outputs"
TABLE: Final = "inferences"
_WRITERS: Final = 8


def create_resources() -> None:
    """A bucket for outputs, and a table with the key of ours."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    key = ("inference_id", "HASH"), ("endpoint_name", "RANGE")
    boto3.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in key],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in key],  # type: ignore[typeddict-item]
    )


def put_output(size: int) -> str:
    """One output of that many bytes; all notifications of a case name it. Answers with its key."""
    key = f"async-output/{size}.out"
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"0" * size)
    return key


def new_ids(count: int) -> list[str]:
    """Ids as SageMaker makes them."""
    return [str(uuid.uuid4()) for _ in range(count)]


def batch(ids: Sequence[str], key: str) -> dict[str, Any]:
    """An event of SQS with a completed notification for each id."""
    return {"Records": [_record(inference_id, key) for inference_id in ids]}


def register(ids: Sequence[str]) -> None:
    """Write what a registration leaves in the table: records in progress, without event_time."""
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


def _record(inference_id: str, key: str) -> dict[str, Any]:
    """A message of SQS under raw delivery, with all that Lambda tells of one."""
    notification = {
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-25T12:03:21.456Z",
        "receivedTime": "2026-11-25T12:00:01.123Z",
        "invocationStatus": "Completed",
        "requestParameters": {
            "accept": "application/json",
            "contentType": "application/json",
            "endpointName": "speech",
            "inputLocation": f"s3://{BUCKET}/async-input/{inference_id}.json",
        },
        "responseParameters": {
            "contentType": "application/json",
            "outputLocation": f"s3://{BUCKET}/{key}",
        },
        "inferenceId": inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    return {
        "messageId": inference_id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": json.dumps(notification),
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
