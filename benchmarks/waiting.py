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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, TypeAlias

import boto3
import httpx
from botocore.exceptions import ClientError

from benchmarks.local_system import local_system
from benchmarks.measurements import Part, Target, table
from inference_results.client import AsyncClient, Client, InferenceResultsError
from inference_results.client.transports import async_driver, sync_driver
from inference_results.client.transports.auth import Signature, tls_context
from inference_results.client.transports.http_api import Api
from inference_results.client.transports.table import TableBackend
from inference_results.contract import StackOutput
from local.environment import REGION, ROOT

POLLING: Final = "AWS's documentation: get_object every 2 s"
SDK: Final = "SageMaker SDK 2: get_result(WaiterConfig())"
API: Final = "Client over HTTP"
ASYNC_API: Final = "AsyncClient over HTTP"
TABLE: Final = "Client on the table"

OUTPUT: Final = "output"
STILL_WAITING: Final = "still waiting"

SECONDS: Final = (54, 57, 60, 63, 66)
_FAILING: Final = "simulate-delay=60 simulate-failure=400"
_EXPIRING: Final = "simulate-delay=60 simulate-expiry"
_OBSERVED_SECONDS: Final = 80
_POLLING_SECONDS: Final = 2
_BODY: Final = b"x" * 2000
"""Too large for an inline output: clients must fetch it from S3."""

Outputs: TypeAlias = Mapping[str, str]
Invocation: TypeAlias = Mapping[str, Any]
"""The response of invoke_endpoint_async."""
Hooks: TypeAlias = dict[str, list[Callable[..., Any]]]


@dataclass(frozen=True, slots=True)
class Wait:
    """One finished wait. `ended_at` is in epoch seconds, None if the contestant still waits."""

    calls: int
    ended_at: float | None
    outcome: str
    """OUTPUT, STILL_WAITING, or the name of the error."""


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
            "observed_s": _OBSERVED_SECONDS,
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
        polling = pool.map(lambda each: _poll(each, stop), invocations)
        over_http = pool.map(lambda each: _wait(_over_http(outputs), each), invocations)
        on_table = pool.map(lambda each: _wait(_on_table(outputs), each), invocations)
        in_loop = pool.submit(asyncio.run, _wait_in_loop(outputs, invocations))
        try:
            time.sleep(_OBSERVED_SECONDS)
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
    client, _ = _on_table(outputs)
    ends = []
    for each in invocations:
        record = client.get(each["InferenceId"])
        assert record.event_time is not None
        ends.append(record.event_time.timestamp())
    return ends


def _poll(invocation: Invocation, stop: threading.Event) -> Wait:
    """Run the endless loop of "Check prediction results" in SageMaker's guide, until `stop`."""
    s3 = boto3.Session().client("s3")
    bucket, _, key = invocation["OutputLocation"].removeprefix("s3://").partition("/")
    calls = 0
    while not stop.is_set():
        calls += 1
        try:
            s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            stop.wait(_POLLING_SECONDS)
        else:
            return Wait(calls, time.time(), OUTPUT)
    return Wait(calls, None, STILL_WAITING)


class _Calls(list[Any]):
    """The requests of one client. botocore or httpx calls it for each request."""

    def __call__(self, request: Any, **_: Any) -> None:
        self.append(request)

    async def in_loop(self, request: httpx.Request) -> None:
        self(request)


def _over_http(outputs: Outputs) -> tuple[Client, _Calls]:
    """Create the client like Client(api_url), with counted requests."""
    calls = _Calls()
    hooks: Hooks = {"request": [calls]}
    auth = Signature(boto3.Session(), REGION)
    http = httpx.Client(auth=auth, verify=tls_context(None), event_hooks=hooks)
    storage = httpx.Client(verify=tls_context(None), event_hooks=hooks)
    backend = sync_driver.HttpBackend(Api.from_url(outputs[StackOutput.API_URL]), http)
    return Client.with_driver(sync_driver.Driver(backend, storage)), calls


def _on_table(outputs: Outputs) -> tuple[Client, _Calls]:
    """Create the client like Client.on_table, with counted requests."""
    calls = _Calls()
    session = boto3.Session()
    session.events.register("before-send", calls)
    hooks: Hooks = {"request": [calls]}
    storage = httpx.Client(verify=tls_context(None), event_hooks=hooks)
    backend = TableBackend(
        outputs[StackOutput.TABLE_NAME], shards=int(outputs[StackOutput.SHARDS]), session=session
    )
    return Client.with_driver(sync_driver.Driver(backend, storage)), calls


def _wait(counted: tuple[Client, _Calls], invocation: Invocation) -> Wait:
    client, calls = counted
    with client:
        try:
            client.get_output(invocation, timeout=_OBSERVED_SECONDS)
        except InferenceResultsError as error:
            return Wait(len(calls), time.time(), type(error).__name__)
        return Wait(len(calls), time.time(), OUTPUT)


async def _wait_in_loop(outputs: Outputs, invocations: Sequence[Invocation]) -> list[Wait]:
    async def wait(invocation: Invocation) -> Wait:
        calls = _Calls()
        hooks: Hooks = {"request": [calls.in_loop]}
        auth = Signature(session, REGION)
        http = httpx.AsyncClient(auth=auth, verify=tls, event_hooks=hooks)
        storage = httpx.AsyncClient(verify=tls, event_hooks=hooks)
        backend = async_driver.HttpBackend(Api.from_url(outputs[StackOutput.API_URL]), http)
        async with AsyncClient.with_driver(async_driver.Driver(backend, storage)) as client:
            try:
                await client.get_output(invocation, timeout=_OBSERVED_SECONDS)
            except InferenceResultsError as error:
                return Wait(len(calls), time.time(), type(error).__name__)
            return Wait(len(calls), time.time(), OUTPUT)

    session, tls = boto3.Session(), tls_context(None)
    return await asyncio.gather(*map(wait, invocations))


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
