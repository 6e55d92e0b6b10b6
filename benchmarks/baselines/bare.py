"""The two calls alone, ranged as ours are: what boto3 takes, whatever is around it."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from benchmarks.baselines.conditional_update import (
    INLINE_OUTPUT_BYTES,
    is_duplicate,
    place,
    update_of,
)

s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        notification = json.loads(record["body"])
        start = s3.get_object(
            **place(notification["responseParameters"]["outputLocation"]),
            Range=f"bytes=0-{INLINE_OUTPUT_BYTES - 1}",
        )["Body"].read()
        try:
            dynamodb.update_item(**update_of(notification, start))
        except ClientError as error:
            if not is_duplicate(error):
                raise
