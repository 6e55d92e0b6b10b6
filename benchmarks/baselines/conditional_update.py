"""The conditional update that all baselines make."""

import os
from typing import Any, Final

from botocore.exceptions import ClientError

INLINE_OUTPUT_BYTES: Final = 1024


def object_of(location: str) -> dict[str, Any]:
    """Return the GetObject parameters of `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def update(
    inference_id: str, endpoint: str, status: str, event_time: str, location: str, output: bytes
) -> dict[str, Any]:
    """Build the UpdateItem call, which fails if the stored result is as new or newer."""
    values: dict[str, Any] = {
        "status": {"S": status},
        "event_time": {"S": event_time},
        "output_location": {"S": location},
        "size": {"N": str(len(output))},
    }
    if len(output) <= INLINE_OUTPUT_BYTES:
        values["inline"] = {"B": output}
    return {
        "TableName": os.environ["TABLE_NAME"],
        "Key": {"inference_id": {"S": inference_id}, "endpoint_name": {"S": endpoint}},
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
        "ConditionExpression": "attribute_not_exists(#event_time) OR #event_time < :event_time",
        "ExpressionAttributeNames": {f"#{name}": name for name in values},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }


def update_for_notification(notification: dict[str, Any], output: bytes) -> dict[str, Any]:
    """Build the UpdateItem call of a parsed notification."""
    return update(
        notification["inferenceId"],
        notification["requestParameters"]["endpointName"],
        notification["invocationStatus"],
        notification["eventTime"],
        notification["responseParameters"]["outputLocation"],
        output,
    )


def is_duplicate(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"
