"""Baseline handlers behind a topic and a queue, for comparison with record_result.

The embedded AWS runs this file alone. The handlers report no partial failures, do not order
results, and reject no messages.
"""

import json
import os
from pathlib import Path
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")


def do_nothing(event: dict[str, Any], context: object) -> None:
    """Write the received inference ids to the file NOTES, and nothing else."""
    ids = [notification["inferenceId"] for notification in _notifications(event)]
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(ids) + "\n")
    # The embedded AWS waits 50 ms for the log of a function that logs nothing.
    print("done")


def get_and_put(event: dict[str, Any], context: object) -> None:
    """Read the output, then write it: the minimum for a record with its output."""
    for notification in _notifications(event):
        location = notification["responseParameters"]["outputLocation"]
        bucket, _, key = location.removeprefix("s3://").partition("/")
        output = s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-1023")
        key = {
            "inference_id": {"S": notification["inferenceId"]},
            "endpoint_name": {"S": notification["requestParameters"]["endpointName"]},
        }
        item = {**key, "output": {"B": output["Body"].read()}}
        dynamodb.put_item(TableName=os.environ["TABLE"], Item=item)
        print("done")


def _notifications(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(each["body"]) for each in event["Records"]]
