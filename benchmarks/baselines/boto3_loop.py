"""boto3 in a loop over the messages, as in many code samples."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from benchmarks.baselines.conditional_update import is_duplicate, object_of, update_for_notification

s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        notification = json.loads(record["body"])
        location = notification["responseParameters"]["outputLocation"]
        output = s3.get_object(**object_of(location))["Body"].read()
        try:
            dynamodb.update_item(**update_for_notification(notification, output))
        except ClientError as error:
            if not is_duplicate(error):
                raise
