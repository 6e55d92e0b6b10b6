"""Waiting for an inference of about 60 s: how many calls, and how long after its end.

Really waited for, on the local system, and all at the same time: every contestant waits for the
same inferences, from when they were submitted until it has the output in hand. They take 54 to
66 s, so that no contestant's interval fits better than another's. One more fails, and one expires.

Calls are counted as they are sent, those that fetch the output among them.
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
from benchmarks.measured import Part, Target, table
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
STILL_WAITING: Final = "waits"

SECONDS: Final = (54, 57, 60, 63, 66)
_FAILING: Final = "simulate-delay=60 simulate-failure=400"
_EXPIRING: Final = "simulate-delay=60 simulate-expiry"
_WATCHED_SECONDS: Final = 80
_POLLING_SECONDS: Final = 2
_BODY: Final = b"x" * 2000
"""More than a record holds, so that it has to be fetched."""

Outputs: TypeAlias = Mapping[str, str]
Invocation: TypeAlias = Mapping[str, Any]
"""What invoke_endpoint_async returned."""
Hooks: TypeAlias = dict[str, list[Callable[..., Any]]]


@dataclass(frozen=True, slots=True)
class Waited:
    """`ended_at` in epoch seconds; None if it was waiting still."""

    calls: int
    ended_at: float | None
    outcome: str
    """OUTPUT, STILL_WAITING, or the name of the error."""


def measure() -> Part:
    with local_system() as folder:
        return part_of(*_run(folder.outputs()))


def part_of(waited: Mapping[str, Sequence[Waited]], ends: Sequence[float]) -> Part:
    """By contestant what became of each invocation: first those of SECONDS, then the failed and the
    expired one; and when these ended (epoch seconds).

    Raises RuntimeError if somebody did not get one of the outputs.
    """
    calls: dict[str, list[float]] = {}
    delays: dict[str, list[float]] = {}
    for name, of_one in waited.items():
        with_output = list(zip(of_one, ends, strict=True))[: len(SECONDS)]
        if any(each.outcome != OUTPUT for each, _ in with_output):
            raise RuntimeError(f"{name} did not get all outputs: {of_one}")
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
            "watched_s": _WATCHED_SECONDS,
            "failed": _told(waited, ends, len(SECONDS)),
            "expired": _told(waited, ends, len(SECONDS) + 1),
        },
    )


def _told(
    waited: Mapping[str, Sequence[Waited]], ends: Sequence[float], at: int
) -> dict[str, dict[str, Any]]:
    told = {}
    for name, of_one in waited.items():
        each = of_one[at]
        delay = None if each.ended_at is None else each.ended_at - ends[at]
        told[name] = {"outcome": each.outcome, "calls": each.calls, "delay_s": delay}
    return told


def _run(outputs: Outputs) -> tuple[dict[str, list[Waited]], list[float]]:
    """By contestant what became of each invocation, and when these ended (epoch seconds)."""
    wishes = [*(f"simulate-delay={seconds}" for seconds in SECONDS), _FAILING, _EXPIRING]
    over = threading.Event()
    with _sdk() as sdk, ThreadPoolExecutor(4 * len(wishes)) as pool:
        invocations = [_invoke(each) for each in wishes]
        _tell(sdk, [(each["OutputLocation"], each["FailureLocation"]) for each in invocations])
        polling = pool.map(lambda each: _poll(each, over), invocations)
        over_http = pool.map(lambda each: _wait(_over_http(outputs), each), invocations)
        on_table = pool.map(lambda each: _wait(_on_table(outputs), each), invocations)
        in_loop = pool.submit(asyncio.run, _wait_in_loop(outputs, invocations))
        try:
            time.sleep(_WATCHED_SECONDS)
        finally:
            over.set()
        _tell(sdk, "over")
        answer, _ = sdk.communicate(timeout=60)
        waited = {
            POLLING: list(polling),
            SDK: [Waited(*each) for each in json.loads(answer.splitlines()[-1])],
            API: list(over_http),
            ASYNC_API: in_loop.result(),
            TABLE: list(on_table),
        }
    return waited, _ends(outputs, invocations)


def _invoke(wishes: str) -> Invocation:
    return boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech", Body=_BODY, ContentType="text/plain", CustomAttributes=wishes
    )


def _ends(outputs: Outputs, invocations: Sequence[Invocation]) -> list[float]:
    """As the notifications said."""
    client, _ = _on_table(outputs)
    ends = []
    for each in invocations:
        record = client.get(each["InferenceId"])
        assert record.event_time is not None
        ends.append(record.event_time.timestamp())
    return ends


def _poll(invocation: Invocation, over: threading.Event) -> Waited:
    """The loop of "Check prediction results" in SageMaker's guide: for ever, but for `over`."""
    s3 = boto3.Session().client("s3")
    bucket, _, key = invocation["OutputLocation"].removeprefix("s3://").partition("/")
    calls = 0
    while not over.is_set():
        calls += 1
        try:
            s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            over.wait(_POLLING_SECONDS)
        else:
            return Waited(calls, time.time(), OUTPUT)
    return Waited(calls, None, STILL_WAITING)


class _Calls(list[Any]):
    """Of one client: what botocore or httpx calls for each request that it sends."""

    def __call__(self, request: Any, **_: Any) -> None:
        self.append(request)

    async def in_loop(self, request: httpx.Request) -> None:
        self(request)


def _over_http(outputs: Outputs) -> tuple[Client, _Calls]:
    """As Client(api_url) makes it, but counted."""
    calls = _Calls()
    hooks: Hooks = {"request": [calls]}
    auth = Signature(boto3.Session(), REGION)
    http = httpx.Client(auth=auth, verify=tls_context(None), event_hooks=hooks)
    storage = httpx.Client(verify=tls_context(None), event_hooks=hooks)
    backend = sync_driver.HttpBackend(Api.at(outputs[StackOutput.API_URL]), http)
    return Client.driven_by(sync_driver.Driver(backend, storage)), calls


def _on_table(outputs: Outputs) -> tuple[Client, _Calls]:
    """As Client.on_table makes it, but counted."""
    calls = _Calls()
    session = boto3.Session()
    session.events.register("before-send", calls)
    hooks: Hooks = {"request": [calls]}
    storage = httpx.Client(verify=tls_context(None), event_hooks=hooks)
    backend = TableBackend(
        outputs[StackOutput.TABLE_NAME], shards=int(outputs[StackOutput.SHARDS]), session=session
    )
    return Client.driven_by(sync_driver.Driver(backend, storage)), calls


def _wait(counted: tuple[Client, _Calls], invocation: Invocation) -> Waited:
    client, calls = counted
    with client:
        try:
            client.get_output(invocation, timeout=_WATCHED_SECONDS)
        except InferenceResultsError as error:
            return Waited(len(calls), time.time(), type(error).__name__)
        return Waited(len(calls), time.time(), OUTPUT)


async def _wait_in_loop(outputs: Outputs, invocations: Sequence[Invocation]) -> list[Waited]:
    async def wait(invocation: Invocation) -> Waited:
        calls = _Calls()
        hooks: Hooks = {"request": [calls.in_loop]}
        auth = Signature(session, REGION)
        http = httpx.AsyncClient(auth=auth, verify=trusted, event_hooks=hooks)
        storage = httpx.AsyncClient(verify=trusted, event_hooks=hooks)
        backend = async_driver.HttpBackend(Api.at(outputs[StackOutput.API_URL]), http)
        async with AsyncClient.driven_by(async_driver.Driver(backend, storage)) as client:
            try:
                await client.get_output(invocation, timeout=_WATCHED_SECONDS)
            except InferenceResultsError as error:
                return Waited(len(calls), time.time(), type(error).__name__)
            return Waited(len(calls), time.time(), OUTPUT)

    session, trusted = boto3.Session(), tls_context(None)
    return await asyncio.gather(*map(wait, invocations))


@contextmanager
def _sdk() -> Iterator["subprocess.Popen[str]"]:
    """sdk_waiter.py, once it is ready to wait."""
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
            raise RuntimeError("the SageMaker SDK did not start: `make sdks` sets it up")
        yield process
    finally:
        process.kill()
        process.wait()


def _tell(process: "subprocess.Popen[str]", what: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()
