"""The asyncio driver."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import httpx

from inference_results.client.errors import UnexpectedResponse
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.requests import (
    GetRecord,
    GetRecords,
    ServiceRequest,
    ServiceResponse,
)
from inference_results.client.flows.steps import Fetch, Item, Operation, Send, Sleep, Stream
from inference_results.client.flows.waits import MAX_IN_FLIGHT
from inference_results.client.transports import sync_driver
from inference_results.client.transports.auth import PresignedUrl
from inference_results.client.transports.http_api import Api, connection_error, parse_response
from inference_results.domain.record.errors import InferenceResultsError

_T = TypeVar("_T")


class Backend(Protocol):
    """Responds to requests: the HTTP API, or the table."""

    async def send(self, request: ServiceRequest) -> ServiceResponse:
        """Send a request. Returns client errors as responses instead of raising them."""

    async def close(self) -> None:
        """Release connections and threads."""


class HttpBackend:
    """The HTTP API."""

    def __init__(self, api: Api, http: httpx.AsyncClient) -> None:
        self._api = api
        self._http = http

    async def send(self, request: ServiceRequest) -> ServiceResponse:
        try:
            http_response = await self._http.send(
                self._api.build_request(request), follow_redirects=False
            )
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return parse_response(request, http_response)

    async def close(self) -> None:
        await self._http.aclose()


class ThreadedBackend:
    """Runs a blocking backend in at most MAX_IN_FLIGHT threads.

    Requests do not wait in the backend, where each would occupy a thread. The operation sleeps in
    the event loop instead.
    """

    def __init__(self, blocking: sync_driver.Backend) -> None:
        self._blocking = blocking
        self._threads = ThreadPoolExecutor(MAX_IN_FLIGHT, "inference-results")

    async def send(self, request: ServiceRequest) -> ServiceResponse:
        if isinstance(request, GetRecord | GetRecords):
            request = replace(request, wait=0)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._blocking.send, request)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._blocking.close()


class Driver:
    """Carries out the steps of operations. `storage` fetches outputs, without credentials."""

    def __init__(
        self,
        backend: Backend,
        storage: httpx.AsyncClient,
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.backoff = backoff or Backoff()
        self._backend = backend
        self._storage = storage
        self._sleep = sleep

    async def run(self, operation: Operation[_T]) -> _T:
        """Run an operation and return its value."""
        result: Any = None
        try:
            while True:
                try:
                    step = operation.send(result)
                except StopIteration as end:
                    value: _T = end.value
                    return value
                result = await self._execute(step)
        finally:
            operation.close()

    async def iterate(self, stream: Stream[_T]) -> AsyncGenerator[_T, None]:
        """Yield the values of a stream. It runs only while the caller requests the next value."""
        result: Any = None
        try:
            while True:
                try:
                    step = stream.send(result)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    yield step.value
                    result = None
                else:
                    result = await self._execute(step)
        finally:
            stream.close()

    async def close(self) -> None:
        await self._backend.close()
        await self._storage.aclose()

    async def _execute(self, step: Send | Sleep | Fetch) -> Any:
        match step:
            case Send():
                return await self._send_all(step)
            case Fetch():
                return await self._fetch(step)
            case Sleep(seconds):
                await self._sleep(seconds)
        return None

    async def _send_all(self, step: Send) -> list[ServiceResponse | None]:
        if len(step.requests) == 1:
            return [await self._backend.send(step.requests[0])]
        # One semaphore per step: a call must not queue behind the long waits of another.
        in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._send_queued(step, each, in_flight))
                    for each in step.requests
                ]
        except BaseExceptionGroup as several:
            # Callers expect the same exception type as from a single request.
            first = several.exceptions[0]
            raise first from first.__cause__
        return [task.result() for task in tasks]

    async def _send_queued(
        self, step: Send, request: ServiceRequest, in_flight: asyncio.Semaphore
    ) -> ServiceResponse | None:
        async with in_flight:
            limited = step.limit_wait(request, self.backoff.clock())
            return None if limited is None else await self._backend.send(limited)

    async def _fetch(self, step: Fetch) -> InferenceResultsError | None:
        download = step.download
        headers = download.request_headers
        try:
            async with self._storage.stream(
                "GET", step.url, headers=headers, auth=PresignedUrl()
            ) as http_response:
                if http_response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    return download.parse_error(
                        http_response.status_code, await http_response.aread()
                    )
                download.start(http_response.headers)
                async for chunk in http_response.aiter_raw():
                    # Writing to a disk blocks.
                    await asyncio.to_thread(download.receive, chunk)
                    download.report_progress()
                download.finish()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return UnexpectedResponse("the API returned an invalid output URL: check api_url")
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return None
