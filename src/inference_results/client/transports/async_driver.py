"""The driver of the operations that runs in an event loop."""

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
from inference_results.client.flows.steps import Fetch, Item, Operation, Search, Send, Sleep
from inference_results.client.flows.waits import MAX_IN_FLIGHT
from inference_results.client.transports import sync_driver
from inference_results.client.transports.auth import PresignedUrl
from inference_results.client.transports.http_api import Api, connection_error, parse_response
from inference_results.domain.record.errors import InferenceResultsError

_T = TypeVar("_T")


class Backend(Protocol):
    """Who answers."""

    async def reply(self, question: ServiceRequest) -> ServiceResponse:
        """Errors that the client knows are replies; they are not raised."""

    async def close(self) -> None:
        """No question follows."""


class HttpBackend:
    """Asks the HTTP API."""

    def __init__(self, api: Api, http: httpx.AsyncClient) -> None:
        self._api = api
        self._http = http

    async def reply(self, question: ServiceRequest) -> ServiceResponse:
        try:
            response = await self._http.send(self._api.request(question), follow_redirects=False)
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return parse_response(question, response)

    async def close(self) -> None:
        await self._http.aclose()


class ThreadedBackend:
    """Asks one that blocks, in at most MAX_IN_FLIGHT threads.

    No question is held open, as it would hold its thread: who waits pauses in the event loop.
    """

    def __init__(self, blocking: sync_driver.Backend) -> None:
        self._blocking = blocking
        self._threads = ThreadPoolExecutor(MAX_IN_FLIGHT, "inference-results")

    async def reply(self, question: ServiceRequest) -> ServiceResponse:
        if isinstance(question, GetRecord | GetRecords):
            question = replace(question, wait=0)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._blocking.reply, question)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._blocking.close()


class Driver:
    """Does the steps of operations. `storage` fetches outputs, and knows no credentials."""

    def __init__(
        self,
        backend: Backend,
        storage: httpx.AsyncClient,
        *,
        pace: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.pace = pace or Backoff()
        self._backend = backend
        self._storage = storage
        self._sleep = sleep

    async def result(self, operation: Operation[_T]) -> _T:
        """What the operation returns, or raises."""
        reply: Any = None
        try:
            while True:
                try:
                    step = operation.send(reply)
                except StopIteration as end:
                    value: _T = end.value
                    return value
                reply = await self._do(step)
        finally:
            operation.close()

    async def each(self, search: Search[_T]) -> AsyncGenerator[_T, None]:
        """What the search finds, when it is wanted."""
        reply: Any = None
        try:
            while True:
                try:
                    step = search.send(reply)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    yield step.value
                    reply = None
                else:
                    reply = await self._do(step)
        finally:
            search.close()

    async def close(self) -> None:
        await self._backend.close()
        await self._storage.aclose()

    async def _do(self, step: Send | Sleep | Fetch) -> Any:
        match step:
            case Send():
                return await self._ask(step)
            case Fetch():
                return await self._fetch(step)
            case Sleep(seconds):
                await self._sleep(seconds)
        return None

    async def _ask(self, step: Send) -> list[ServiceResponse | None]:
        if len(step.questions) == 1:
            return [await self._backend.reply(step.questions[0])]
        # One for each step, so that no caller waits for the long questions of another.
        in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._reply_in_turn(step, each, in_flight))
                    for each in step.questions
                ]
        except BaseExceptionGroup as several:
            # As of one question, so that callers catch the same.
            first = several.exceptions[0]
            raise first from first.__cause__
        return [task.result() for task in tasks]

    async def _reply_in_turn(
        self, step: Send, question: ServiceRequest, in_flight: asyncio.Semaphore
    ) -> ServiceResponse | None:
        async with in_flight:
            asked = step.in_turn(question, self.pace.clock())
            return None if asked is None else await self._backend.reply(asked)

    async def _fetch(self, step: Fetch) -> InferenceResultsError | None:
        download = step.download
        headers = download.request_headers
        try:
            async with self._storage.stream(
                "GET", step.url, headers=headers, auth=PresignedUrl()
            ) as answer:
                if answer.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    return download.refused(answer.status_code, await answer.aread())
                download.begin(answer.headers)
                async for chunk in answer.aiter_raw():
                    # It may write to a disk, which blocks.
                    await asyncio.to_thread(download.receive, chunk)
                    download.report()
                download.end()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return UnexpectedResponse("the API names a place of the output that is no URL")
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return None
