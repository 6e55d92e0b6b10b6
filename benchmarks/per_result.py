"""What a result costs the function: processor time per result, and the time that a batch takes.

The handlers run in this process, one after another in each round, against the embedded AWS in
another, or, where latencies are to be those of AWS, against a stand-in that answers after them.
Processor time is this process's, all threads included; what AWS does is not in it.
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

from benchmarks.assumed import DYNAMODB_MS, S3_MS
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
from benchmarks.measured import Part, Rounds, Table, Target, table
from inference_results.contract import Variable
from local.embedded_aws import start_embedded_aws
from local.environment import LocalFolder, environment_restored
from local.processes import Processes

Handler = Callable[[dict[str, Any], Any], Any]

OURS: Final = "record_result"
BASE: Final = "Powertools BatchProcessor, pydantic"
SMALL, LARGE = 1_000, 128 * 1024


_READ_THE_ENVIRONMENT: Final = ("benchmarks.baselines", "inference_results.handlers")


_NOWHERE: Final = Path(os.devnull).open("w")  # noqa: SIM115
"""For logs of handlers: they are written as ever. Loggers keep the stream, so it stays open."""


@dataclass(frozen=True)
class Case:
    """`results` in each round, in batches of `batch`."""

    name: str
    title: str
    batch: int
    results: int
    rounds: int
    output_bytes: int = SMALL
    before: str = "nothing"
    latencies: bool = False


CASES: Final = (
    Case("first_10", "first writes, batches of 10, 1 KB", 10, 50, 9),
    Case("first_100", "first writes, batches of 100, 1 KB", 100, 100, 5),
    Case("first_1000", "first writes, batches of 1,000, 1 KB", 1000, 1000, 2),
    Case("large_10", "first writes, batches of 10, 128 KB", 10, 30, 7, LARGE),
    Case("duplicate_10", "duplicates, batches of 10, 1 KB", 10, 50, 7, before="results"),
    Case("registered_10", "registered, batches of 10, 1 KB", 10, 50, 9, before="registrations"),
    Case("waiting_10", "with latencies, batches of 10", 10, 10, 9, latencies=True),
    Case("waiting_100", "with latencies, batches of 100", 100, 100, 2, latencies=True),
)


def measure() -> Part:
    tables: list[Table] = []
    with environment_restored():
        for surroundings, latencies in ((embedded_aws, False), (answering_late, True)):
            with surroundings():
                handlers = imported_handlers()
                for case in CASES:
                    if case.latencies == latencies:
                        tables += _measured(case, handlers)
    return Part(tuple(tables), tuple(_targets(tables)))


@contextmanager
def embedded_aws() -> Iterator[None]:
    """MiniStack in a process of its own, and this process its client."""
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
def answering_late() -> Iterator[None]:
    """The stand-in, as far away as S3 and DynamoDB are."""
    command = [sys.executable, "-m", "benchmarks.stand_in"]
    command += [str(each) for each in (S3_MS, DYNAMODB_MS, SMALL)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
            yield
        finally:
            process.terminate()


def imported_handlers() -> dict[str, Handler]:
    """Imported anew: they read the environment, and remember where their logs go."""
    for name in [each for each in sys.modules if each.startswith(_READ_THE_ENVIRONMENT)]:
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
    with redirect_stdout(_NOWHERE):
        from benchmarks.baselines import bare, powertools_async, powertools_batch, raw, sample
        from functions import record_result

    return {
        BASE: powertools_batch.handler,
        "Powertools AsyncBatchProcessor, threads": powertools_async.handler,
        "one after another, as samples do": sample.handler,
        "the two boto3 calls alone": bare.handler,
        "urllib3 and SigV4 alone": raw.handler,
        OURS: record_result.handler,
    }


def _measured(case: Case, handlers: dict[str, Handler]) -> Iterator[Table]:
    key = "async-output/stand-in.out" if case.latencies else put_output(case.output_bytes)
    processor: dict[str, list[float]] = {name: [] for name in handlers}
    wall: dict[str, list[float]] = {name: [] for name in handlers}
    for number in range(case.rounds + 1):
        for name, handler in _in_turn(handlers, number):
            ids = new_ids(case.results)
            if case.before == "registrations":
                register(ids)
            events = [
                batch(ids[at : at + case.batch], key) for at in range(0, len(ids), case.batch)
            ]
            if case.before == "results":
                run(handler, events)
            took = run(handler, events)
            if number:  # the first warms connections up
                processor[name].append(took[0] * 1000 / case.results)
                wall[name].append(took[1] * 1000 / len(events))
    yield _table(f"cpu_{case.name}", f"processor time per result: {case.title}", processor)
    yield _table(f"wall_{case.name}", f"time per batch: {case.title}", wall)


def _in_turn(handlers: dict[str, Handler], number: int) -> list[tuple[str, Handler]]:
    """Each round begins with another."""
    turns = list(handlers.items())
    first = number % len(turns)
    return turns[first:] + turns[:first]


def run(handler: Handler, events: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Seconds of the processor, and of the clock. Raises if a message failed."""
    with redirect_stdout(_NOWHERE):
        processor, clock = time.process_time(), time.perf_counter()
        answers = [handler(each, Context()) for each in events]
        took = time.process_time() - processor, time.perf_counter() - clock
    for answer in answers:
        if answer and answer["batchItemFailures"]:
            raise RuntimeError(f"messages failed: {len(answer['batchItemFailures'])}")
    return took


def _table(name: str, title: str, rounds: Rounds) -> Table:
    return table(name, title, "ms", rounds, BASE)


def _targets(tables: Sequence[Table]) -> Iterator[Target]:
    found = {(each.name, row.name): row for each in tables for row in each.rows}
    for case, limit in (("first_10", 0.50), ("registered_10", 0.70)):
        ratio = found[f"cpu_{case}", OURS].ratio
        assert ratio
        yield Target(f"processor time per result, {case}, to {BASE}", "x", limit, ratio.median)
    batch_of_ten = found["wall_waiting_10", OURS].value
    yield Target("a batch of 10 with latencies", "ms", 50, batch_of_ten.median)
