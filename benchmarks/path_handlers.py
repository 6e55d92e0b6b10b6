"""Handlers at the end of a topic and a queue, to compare record_result with.

The embedded AWS runs this file on its own. None of them reports failures, orders events or parks.
"""

import json
import os
from pathlib import Path
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")


def do_nothing(event: dict[str, Any], context: object) -> None:
    """Nothing, but note of which inferences it was told."""
    ids = [message["inferenceId"] for message in _messages(event)]
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(ids) + "\n")
    # Of a function that logs nothing the embedded AWS awaits the log for 50 ms.
    print("done")


def put(event: dict[str, Any], context: object) -> None:
    """One unconditional write for each message: the least that makes something readable."""
    for message in _messages(event):
        _put(message, {})


def get_and_put(event: dict[str, Any], context: object) -> None:
    """The two calls that a record with its output cannot do without, one after the other."""
    for message in _messages(event):
        location = message["responseParameters"]["outputLocation"]
        bucket, _, key = location.removeprefix("s3://").partition("/")
        output = s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-1023")
        _put(message, {"output": {"B": output["Body"].read()}})


def _messages(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(each["body"]) for each in event["Records"]]


def _put(message: dict[str, Any], attributes: dict[str, Any]) -> None:
    key = {
        "inference_id": {"S": message["inferenceId"]},
        "endpoint_name": {"S": message["requestParameters"]["endpointName"]},
    }
    dynamodb.put_item(TableName=os.environ["TABLE"], Item={**key, **attributes})
    print("done")
