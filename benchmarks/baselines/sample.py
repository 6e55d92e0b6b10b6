"""As samples do it: one message after another, with boto3."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from benchmarks.baselines.conditional_update import is_duplicate, place, update_of

s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        notification = json.loads(record["body"])
        location = notification["responseParameters"]["outputLocation"]
        output = s3.get_object(**place(location))["Body"].read()
        try:
            dynamodb.update_item(**update_of(notification, output))
        except ClientError as error:
            if not is_duplicate(error):
                raise
