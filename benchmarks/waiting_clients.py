"""Clients that wait for an inference and count their requests."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import boto3
import httpx
from botocore.exceptions import ClientError

from inference_results.client import AsyncClient, Client, InferenceResultsError
from inference_results.client.transports import async_driver, sync_driver
from inference_results.client.transports.auth import Signature, tls_context
from inference_results.client.transports.http_api import Api
from inference_results.client.transports.table import TableBackend
from inference_results.contract import StackOutput
from local.environment import REGION

OUTPUT: Final = "output"
STILL_WAITING: Final = "still waiting"
OBSERVED_SECONDS: Final = 80
_POLLING_SECONDS: Final = 2

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


def poll(invocation: Invocation, stop: threading.Event) -> Wait:
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


def wait(outputs: Outputs, invocation: Invocation, *, on_table: bool) -> Wait:
    """Wait like Client(api_url) or Client.on_table, and count the requests."""
    calls = _Calls()
    hooks: Hooks = {"request": [calls]}
    session, tls = boto3.Session(), tls_context(None)
    if on_table:
        session.events.register("before-send", calls)
        backend: sync_driver.Backend = TableBackend(
            outputs[StackOutput.TABLE_NAME],
            shards=int(outputs[StackOutput.SHARDS]),
            session=session,
        )
    else:
        http = httpx.Client(auth=Signature(session, REGION), verify=tls, event_hooks=hooks)
        backend = sync_driver.HttpBackend(Api.from_url(outputs[StackOutput.API_URL]), http)
    storage = httpx.Client(verify=tls, event_hooks=hooks)
    outcome = OUTPUT
    with Client.with_driver(sync_driver.Driver(backend, storage)) as client:
        try:
            client.get_output(invocation, timeout=OBSERVED_SECONDS)
        except InferenceResultsError as error:
            outcome = type(error).__name__
        return Wait(len(calls), time.time(), outcome)


async def wait_in_loop(outputs: Outputs, invocation: Invocation) -> Wait:
    calls = _Calls()
    hooks: Hooks = {"request": [calls.in_loop]}
    auth, tls = Signature(boto3.Session(), REGION), tls_context(None)
    http = httpx.AsyncClient(auth=auth, verify=tls, event_hooks=hooks)
    storage = httpx.AsyncClient(verify=tls, event_hooks=hooks)
    backend = async_driver.HttpBackend(Api.from_url(outputs[StackOutput.API_URL]), http)
    outcome = OUTPUT
    async with AsyncClient.with_driver(async_driver.Driver(backend, storage)) as client:
        try:
            await client.get_output(invocation, timeout=OBSERVED_SECONDS)
        except InferenceResultsError as error:
            outcome = type(error).__name__
        return Wait(len(calls), time.time(), outcome)
