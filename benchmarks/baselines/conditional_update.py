"""The conditional update that all of them make, of a notification and its output."""

import os
from typing import Any, Final

from botocore.exceptions import ClientError

INLINE_OUTPUT_BYTES: Final = 1024


def place(location: str) -> dict[str, Any]:
    """`s3://bucket/key` as GetObject takes it."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def update(
    inference_id: str, endpoint: str, status: str, event_time: str, location: str, output: bytes
) -> dict[str, Any]:
    """What UpdateItem takes: written unless what is there is as new."""
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


def update_of(notification: dict[str, Any], output: bytes) -> dict[str, Any]:
    """The same of a notification as it is in JSON."""
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
