"""`python -m benchmarks.scale.processor`: processor time of the stream's functions for each result.

As JSON. Their clients are included; the network is not: each request is answered before it is sent.
`make bench PARTS=per_result` tells that of record_result.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from io import BytesIO, StringIO
from typing import Any

from urllib3 import HTTPResponse, HTTPSConnectionPool

from benchmarks.batches import Context
from benchmarks.scale.results import completed_item
from inference_results.contract import Service, Variable

_ROUNDS = 9
_BATCH = {Service.PUBLISH_EVENTS: 100, Service.SUMMARIZE: 1000}
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
    Variable.RETENTION_DAYS: "90",
    Variable.PUBLISH_CUSTOM_ATTRIBUTES: "false",
}


def _answer(
    pool: HTTPSConnectionPool, *_: Any, preload_content: bool = True, **__: Any
) -> HTTPResponse:
    content = b"{}"
    if pool.host.startswith("events."):
        entries = [{"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}] * 10
        content = json.dumps({"FailedEntryCount": 0, "Entries": entries}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return HTTPResponse(BytesIO(content), headers, 200, preload_content=preload_content)


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
    took = []
    with redirect_stdout(StringIO()):
        for _ in range(_ROUNDS):
            began = time.process_time()
            handle(event, Context())
            took.append(time.process_time() - began)
    return sorted(took)[_ROUNDS // 2] * 1000 / len(event["Records"])


def main() -> None:
    os.environ.update({str(name): value for name, value in _VARIABLES.items()})
    HTTPSConnectionPool.urlopen = _answer  # type: ignore[assignment, method-assign]
    took = {}
    for service, number in _BATCH.items():
        handler = import_module(f"functions.{service}").handler
        took[str(service)] = round(_milliseconds(handler, _changes(number)), 3)
    sys.stdout.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    main()
