"""Waiting for inferences of about 60 s: number of calls, and delay after the end.

On the local system, all contestants wait in real time for the same inferences, from submission
until they have the output. The inferences take 54 to 66 s, which favors no polling interval. One
more fails, and one expires.

All requests count, including those for the output.
"""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any, Final

import boto3

from benchmarks.local_system import local_system
from benchmarks.measurements import Part, Target, table
from benchmarks.waiting_clients import (
    OBSERVED_SECONDS,
    OUTPUT,
    Invocation,
    Outputs,
    Wait,
    poll,
    wait,
    wait_in_loop,
)
from inference_results.client import Client
from inference_results.contract import StackOutput
from local.environment import ROOT

POLLING: Final = "AWS's documentation: get_object every 2 s"
SDK: Final = "SageMaker SDK 2: get_result(WaiterConfig())"
API: Final = "Client over HTTP"
ASYNC_API: Final = "AsyncClient over HTTP"
TABLE: Final = "Client on the table"

SECONDS: Final = (54, 57, 60, 63, 66)
_FAILING: Final = "simulate-delay=60 simulate-failure=400"
_EXPIRING: Final = "simulate-delay=60 simulate-expiry"
_BODY: Final = b"x" * 2000
"""Too large for an inline output: clients must fetch it from S3."""


def measure() -> Part:
    with local_system() as folder:
        return part_of(*_run(folder.outputs()))


def part_of(waits: Mapping[str, Sequence[Wait]], ends: Sequence[float]) -> Part:
    """Build the tables from each contestant's waits and the inferences' ends (epoch seconds).

    Both are ordered: the inferences of SECONDS, the failed one, the expired one. Raises
    RuntimeError if a contestant is missing an output.
    """
    calls: dict[str, list[float]] = {}
    delays: dict[str, list[float]] = {}
    for name, of_contestant in waits.items():
        with_output = list(zip(of_contestant, ends, strict=True))[: len(SECONDS)]
        if any(each.outcome != OUTPUT for each, _ in with_output):
            raise RuntimeError(f"{name} did not get all outputs: {of_contestant}")
        calls[name] = [each.calls for each, _ in with_output]
        delays[name] = [each.ended_at - end for each, end in with_output if each.ended_at]
    most_calls = max(*calls[API], *calls[ASYNC_API])
    delay = max(median(delays[API]), median(delays[ASYNC_API]))
    return Part(
        tables=(
            table("waiting_calls", "waiting for 54 to 66 s", "calls", calls, POLLING),
            table("waiting_delay", "delay after the end", "s", delays, POLLING),
        ),
        targets=(
            Target("waiting over HTTP: calls", "calls", 8, most_calls),
            Target("waiting over HTTP: delay", "s", 2, delay),
            Target("waiting on the table: calls", "calls", 8, max(calls[TABLE])),
            Target("waiting on the table: delay", "s", 2, median(delays[TABLE])),
        ),
        facts={
            "longest_delay_s": {name: max(each) for name, each in delays.items()},
            "observed_s": OBSERVED_SECONDS,
            "failed": _outcomes(waits, ends, len(SECONDS)),
            "expired": _outcomes(waits, ends, len(SECONDS) + 1),
        },
    )


def _outcomes(
    waits: Mapping[str, Sequence[Wait]], ends: Sequence[float], at: int
) -> dict[str, dict[str, Any]]:
    outcomes = {}
    for name, of_contestant in waits.items():
        each = of_contestant[at]
        delay = None if each.ended_at is None else each.ended_at - ends[at]
        outcomes[name] = {"outcome": each.outcome, "calls": each.calls, "delay_s": delay}
    return outcomes


def _run(outputs: Outputs) -> tuple[dict[str, list[Wait]], list[float]]:
    """Return the waits by contestant, and when the inferences ended (epoch seconds)."""
    attributes = [*(f"simulate-delay={seconds}" for seconds in SECONDS), _FAILING, _EXPIRING]
    stop = threading.Event()
    with _sdk() as sdk, ThreadPoolExecutor(4 * len(attributes)) as pool:
        invocations = [_invoke(each) for each in attributes]
        _send(sdk, [(each["OutputLocation"], each["FailureLocation"]) for each in invocations])
        polling = pool.map(lambda each: poll(each, stop), invocations)
        over_http = pool.map(lambda each: wait(outputs, each, on_table=False), invocations)
        on_table = pool.map(lambda each: wait(outputs, each, on_table=True), invocations)
        in_loop = pool.submit(asyncio.run, _wait_for_all(outputs, invocations))
        try:
            time.sleep(OBSERVED_SECONDS)
        finally:
            stop.set()
        _send(sdk, "stop")
        response, _ = sdk.communicate(timeout=60)
        waits = {
            POLLING: list(polling),
            SDK: [Wait(*each) for each in json.loads(response.splitlines()[-1])],
            API: list(over_http),
            ASYNC_API: in_loop.result(),
            TABLE: list(on_table),
        }
    return waits, _ends(outputs, invocations)


def _invoke(custom_attributes: str) -> Invocation:
    return boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech",
        Body=_BODY,
        ContentType="text/plain",
        CustomAttributes=custom_attributes,
    )


def _ends(outputs: Outputs, invocations: Sequence[Invocation]) -> list[float]:
    """Return the event times of the notifications."""
    table_name, shards = outputs[StackOutput.TABLE_NAME], int(outputs[StackOutput.SHARDS])
    client = Client.on_table(table_name, shards=shards)
    ends = []
    for each in invocations:
        record = client.get(each["InferenceId"])
        assert record.event_time is not None
        ends.append(record.event_time.timestamp())
    return ends


async def _wait_for_all(outputs: Outputs, invocations: Sequence[Invocation]) -> list[Wait]:
    return await asyncio.gather(*(wait_in_loop(outputs, each) for each in invocations))


@contextmanager
def _sdk() -> Iterator["subprocess.Popen[str]"]:
    """Start sdk_waiter.py and wait until it is ready."""
    process = subprocess.Popen(
        [ROOT / ".venv-sagemaker-v2/bin/python", ROOT / "benchmarks/sdk_waiter.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        if not any(line == "ready\n" for line in process.stdout):
            raise RuntimeError("the SageMaker SDK did not start; run `make sdks` to install it")
        yield process
    finally:
        process.kill()
        process.wait()


def _send(process: "subprocess.Popen[str]", line: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(line) + "\n")
    process.stdin.flush()
