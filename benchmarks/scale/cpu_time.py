"""`python -m benchmarks.scale.cpu_time` prints the CPU milliseconds per result, as JSON.

Covers the functions of the stream with their clients but without the network: each request gets a
response before it is sent. `make bench PARTS=per_result` measures record_result.
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
from benchmarks.scale.sample_items import completed_item
from inference_results.contract import Service, Variable

_ROUNDS = 9
_BATCH_SIZES = {Service.PUBLISH_EVENTS: 100, Service.SUMMARIZE: 1000}
"""The default batch sizes of the stream mappings."""
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


def _respond(
    pool: HTTPSConnectionPool, *_: Any, preload_content: bool = True, **__: Any
) -> HTTPResponse:
    content = b"{}"
    if pool.host.startswith("events."):
        entries = [{"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}] * 10
        content = json.dumps({"FailedEntryCount": 0, "Entries": entries}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return HTTPResponse(BytesIO(content), headers, 200, preload_content=preload_content)


def _stream_event(count: int) -> dict[str, Any]:
    return {
        "shardId": "shardId-00000001",
        "Records": [
            {
                "eventName": "INSERT",
                "dynamodb": {
                    "SequenceNumber": str(10**20 + at),
                    "ApproximateCreationDateTime": time.time(),
                    "NewImage": _stream_image(completed_item(at)),
                },
            }
            for at in range(count)
        ],
    }


def _stream_image(item: Mapping[str, Any]) -> Any:
    """Convert an item to JSON types, like Lambda's stream events."""
    return json.loads(json.dumps(item, default=lambda content: content.decode()))


def _milliseconds_per_record(handle: Callable[[Any, Any], Any], event: dict[str, Any]) -> float:
    seconds = []
    with redirect_stdout(StringIO()):
        for _ in range(_ROUNDS):
            started = time.process_time()
            handle(event, Context())
            seconds.append(time.process_time() - started)
    return sorted(seconds)[_ROUNDS // 2] * 1000 / len(event["Records"])


def main() -> None:
    os.environ.update({str(name): value for name, value in _VARIABLES.items()})
    HTTPSConnectionPool.urlopen = _respond  # type: ignore[assignment, method-assign]
    cpu_ms = {}
    for service, batch_size in _BATCH_SIZES.items():
        handler = import_module(f"functions.{service}").handler
        cpu_ms[str(service)] = round(
            _milliseconds_per_record(handler, _stream_event(batch_size)), 3
        )
    sys.stdout.write(json.dumps(cpu_ms) + "\n")


if __name__ == "__main__":
    main()
