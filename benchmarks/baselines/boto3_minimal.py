"""The two boto3 calls with a ranged GET, sequentially, and nothing else."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from benchmarks.baselines.conditional_update import (
    INLINE_OUTPUT_BYTES,
    is_duplicate,
    object_of,
    update_for_notification,
)

s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        notification = json.loads(record["body"])
        start = s3.get_object(
            **object_of(notification["responseParameters"]["outputLocation"]),
            Range=f"bytes=0-{INLINE_OUTPUT_BYTES - 1}",
        )["Body"].read()
        try:
            dynamodb.update_item(**update_for_notification(notification, start))
        except ClientError as error:
            if not is_duplicate(error):
                raise
