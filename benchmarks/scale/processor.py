"""`python -m benchmarks.scale.processor`: processor time of the functions for each result, as JSON.

The handlers are as deployed, boto3 included; the network is not: each request is answered before it
is sent. So this is what Lambda's processor has to do, whatever AWS's services take.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from benchmarks.scale.results import BUCKET, completed_event, completed_item
from inference_results.contract import Service, Variable

_ROUNDS = 9
_BATCH = {Service.RECORD_RESULT: 10, Service.ANNOUNCE: 100, Service.SUMMARIZE: 1000}
"""As many as the default settings give to a call."""
_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_METRICS_NAMESPACE": "Benchmark",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
    Variable.TABLE_NAME: "inferences",
    Variable.TABLE_ARN: "arn:aws:dynamodb:us-east-1:123456789012:table/inferences",
    Variable.SUMMARIES_TABLE_NAME: "summaries",
    Variable.EVENT_BUS_ARN: "arn:aws:events:us-east-1:123456789012:event-bus/bus",
    Variable.UNPROCESSABLE_QUEUE_URL: "https://sqs.us-east-1.amazonaws.com/123456789012/parked",
    Variable.OUTPUT_PREFIXES: json.dumps([f"s3://{BUCKET}/"]),
    Variable.INLINE_OUTPUT_BYTES: "1024",
    Variable.RETENTION_DAYS: "90",
    Variable.SHARDS: "4",
    Variable.WORKERS: "10",
    Variable.WATCHED_ENDPOINTS: "[]",
    Variable.ANNOUNCE_CUSTOM_ATTRIBUTES: "false",
}


class _Body:
    """What urllib3 would give of an answer."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, amount: int | None = None, **_: Any) -> bytes:
        content, self._content = self._content, b""
        return content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()

    def close(self) -> None:
        """Nothing is open."""

    release_conn = close


def _answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    headers, content, status = {"Content-Type": "application/x-amz-json-1.0"}, b"{}", 200
    if ".s3." in request.url:
        content, status = b"x" * 1024, 206
        headers = {
            "ETag": '"9b2cf535f27731c974343645a3985328"',
            "Content-Range": "bytes 0-1023/1024",
            "Content-Length": "1024",
            "Content-Type": "application/json",
        }
    elif "events." in request.url:
        entries = [{"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}] * 10
        content = json.dumps({"FailedEntryCount": 0, "Entries": entries}).encode()
    return AWSResponse(request.url, status, headers, _Body(content))  # type: ignore[arg-type]


def _messages(number: int) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": str(at),
                "body": json.dumps(completed_event(at)),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
            }
            for at in range(number)
        ]
    }


def _changes(number: int) -> dict[str, Any]:
    return {
        "shardId": "shardId-00000001",
        "Records": [
            {
                "eventName": "INSERT",
                "dynamodb": {
                    "SequenceNumber": str(10**20 + at),
                    "ApproximateCreationDateTime": time.time(),
                    "NewImage": _as_streamed(completed_item(at)),
                },
            }
            for at in range(number)
        ],
    }


def _as_streamed(item: Mapping[str, Any]) -> Any:
    """An event of Lambda is JSON, so that bytes stand in it as base64."""
    return json.loads(json.dumps(item, default=lambda content: content.decode()))


def _milliseconds(handle: Callable[[Any, Any], Any], event: dict[str, Any]) -> float:
    context = SimpleNamespace(
        function_name="benchmark",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:benchmark",
        aws_request_id="benchmark",
        get_remaining_time_in_millis=lambda: 30_000,
    )
    took = []
    with redirect_stdout(StringIO()):
        for _ in range(_ROUNDS):
            began = time.process_time()
            handle(event, context)
            took.append(time.process_time() - began)
    return sorted(took)[_ROUNDS // 2] * 1000 / len(event["Records"])


def main() -> None:
    os.environ.update({str(name): value for name, value in _VARIABLES.items()})
    session = botocore.session.get_session()
    session.register("before-send", _answer)  # type: ignore[arg-type] # its answer is taken
    boto3.setup_default_session(botocore_session=session)
    took = {}
    for service, number in _BATCH.items():
        event = _messages(number) if service == Service.RECORD_RESULT else _changes(number)
        handler = import_module(f"inference_results.handlers.{service}").handler
        took[str(service)] = round(_milliseconds(handler, event), 3)
    sys.stdout.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    main()
