"""CPU time per result, and the duration of a batch.

The handlers take turns in this process. They use the embedded AWS in another process or, for
AWS's latencies, a stub that responds after them. CPU time covers this process with all its
threads, without the work of AWS.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.assumptions import DYNAMODB_MS, S3_MS
from benchmarks.batches import (
    BUCKET,
    TABLE,
    Context,
    batch,
    create_resources,
    new_ids,
    put_output,
    register,
)
from benchmarks.measurements import Part, Rounds, Table, Target, table
from inference_results.contract import Variable
from local.embedded_aws import start_embedded_aws
from local.environment import LocalFolder, environment_restored
from local.processes import Processes

Handler = Callable[[dict[str, Any], Any], Any]

OURS: Final = "record_result"
BASE: Final = "Powertools BatchProcessor, pydantic"
SMALL, LARGE = 1_000, 128 * 1024

_HANDLER_PACKAGES: Final = ("benchmarks.baselines", "functions")

_DEV_NULL: Final = Path(os.devnull).open("w")  # noqa: SIM115
"""Receives the handlers' logs. It stays open, because loggers keep their stream."""


@dataclass(frozen=True)
class Case:
    """One set of batches: each round has `results` results in batches of `batch`."""

    name: str
    title: str
    batch: int
    results: int
    rounds: int
    output_bytes: int = SMALL
    existing: str = "nothing"
    """What the table holds before a round: `nothing`, `results` or `registrations`."""
    aws_latency: bool = False


CASES: Final = (
    Case("new_10", "new records, batches of 10, 1 KB", 10, 50, 9),
    Case("new_100", "new records, batches of 100, 1 KB", 100, 100, 5),
    Case("new_1000", "new records, batches of 1,000, 1 KB", 1000, 1000, 2),
    Case("large_10", "new records, batches of 10, 128 KB", 10, 30, 7, LARGE),
    Case("duplicate_10", "duplicates, batches of 10, 1 KB", 10, 50, 7, existing="results"),
    Case("registered_10", "registered, batches of 10, 1 KB", 10, 50, 9, existing="registrations"),
    Case("latency_10", "AWS latencies, batches of 10", 10, 10, 9, aws_latency=True),
    Case("latency_100", "AWS latencies, batches of 100", 100, 100, 2, aws_latency=True),
)


def measure() -> Part:
    tables: list[Table] = []
    with environment_restored():
        for backend, aws_latency in ((embedded_aws, False), (latency_stub, True)):
            with backend():
                handlers = import_handlers()
                for case in CASES:
                    if case.aws_latency == aws_latency:
                        tables += _measure(case, handlers)
    return Part(tuple(tables), tuple(_targets(tables)))


@contextmanager
def embedded_aws() -> Iterator[None]:
    """Run MiniStack in another process and make this process its client."""
    with TemporaryDirectory() as path:
        folder = LocalFolder(Path(path))
        processes = Processes(folder.path)
        try:
            start_embedded_aws(folder, processes)
            folder.enter()
            create_resources()
            yield
        finally:
            processes.stop_all()


@contextmanager
def latency_stub() -> Iterator[None]:
    """Run the stub with the latencies of S3 and DynamoDB and make this process its client."""
    command = [sys.executable, "-m", "benchmarks.latency_stub"]
    command += [str(each) for each in (S3_MS, DYNAMODB_MS, SMALL)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
            yield
        finally:
            process.terminate()


def import_handlers() -> dict[str, Handler]:
    """Import the handlers again: they read the environment and choose their log stream on import.

    Returns them by name.
    """
    for name in [each for each in sys.modules if each.startswith(_HANDLER_PACKAGES)]:
        del sys.modules[name]
    os.environ |= {
        Variable.WORKERS: "10",
        Variable.TABLE_NAME: TABLE,
        Variable.SHARDS: "4",
        Variable.OUTPUT_PREFIXES: json.dumps([f"s3://{BUCKET}/async-output/"]),
        Variable.INLINE_OUTPUT_BYTES: "1024",
        Variable.UNPROCESSABLE_QUEUE_URL: "https://sqs/unprocessable",
        Variable.RETENTION_DAYS: "90",
        Variable.WATCHED_ENDPOINTS: "[]",
        "POWERTOOLS_SERVICE_NAME": "record_result",
        "POWERTOOLS_METRICS_NAMESPACE": "InferenceResults",
    }
    with redirect_stdout(_DEV_NULL):
        from benchmarks.baselines import (
            boto3_minimal,
            powertools_async,
            powertools_batch,
            urllib3_sigv4,
        )
        from functions import record_result

    return {
        BASE: powertools_batch.handler,
        "Powertools AsyncBatchProcessor, threads": powertools_async.handler,
        "the two boto3 calls alone": boto3_minimal.handler,
        "urllib3 and SigV4 alone": urllib3_sigv4.handler,
        OURS: record_result.handler,
    }


def _measure(case: Case, handlers: dict[str, Handler]) -> Iterator[Table]:
    key = "async-output/stub.out" if case.aws_latency else put_output(case.output_bytes)
    cpu: dict[str, list[float]] = {name: [] for name in handlers}
    wall: dict[str, list[float]] = {name: [] for name in handlers}
    for number in range(case.rounds + 1):
        for name, handler in _rotated(handlers, number):
            ids = new_ids(case.results)
            if case.existing == "registrations":
                register(ids)
            events = [
                batch(ids[at : at + case.batch], key) for at in range(0, len(ids), case.batch)
            ]
            if case.existing == "results":
                run(handler, events)
            cpu_seconds, wall_seconds = run(handler, events)
            if number:  # the first round only opens connections
                cpu[name].append(cpu_seconds * 1000 / case.results)
                wall[name].append(wall_seconds * 1000 / len(events))
    yield _table(f"cpu_{case.name}", f"CPU time per result: {case.title}", cpu)
    yield _table(f"wall_{case.name}", f"duration of a batch: {case.title}", wall)


def _rotated(handlers: dict[str, Handler], number: int) -> list[tuple[str, Handler]]:
    """Each round starts with another handler."""
    turns = list(handlers.items())
    first = number % len(turns)
    return turns[first:] + turns[:first]


def run(handler: Handler, events: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Invoke a handler with each event and return its CPU seconds and wall-clock seconds.

    Raises RuntimeError if the handler returns messages.
    """
    with redirect_stdout(_DEV_NULL):
        cpu, wall = time.process_time(), time.perf_counter()
        responses = [handler(each, Context()) for each in events]
        took = time.process_time() - cpu, time.perf_counter() - wall
    for response in responses:
        if response and response["batchItemFailures"]:
            raise RuntimeError(f"{len(response['batchItemFailures'])} messages failed")
    return took


def _table(name: str, title: str, rounds: Rounds) -> Table:
    return table(name, title, "ms", rounds, BASE)


def _targets(tables: Sequence[Table]) -> Iterator[Target]:
    rows = {(each.name, row.name): row for each in tables for row in each.rows}
    for case, name, limit in (
        ("new_10", "new records", 0.50),
        ("registered_10", "registered records", 0.70),
    ):
        ratio = rows[f"cpu_{case}", OURS].ratio
        assert ratio
        title = f"CPU time per result, {name} in batches of 10, relative to {BASE}"
        yield Target(title, "x", limit, ratio.of_medians)
    batch_of_ten = rows["wall_latency_10", OURS]
    yield Target("duration of a batch of 10 with AWS latencies", "ms", 50, batch_of_ten.median)
