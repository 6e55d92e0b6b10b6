"""A minimal typical function for this job: boto3 and two clients."""

from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {}
