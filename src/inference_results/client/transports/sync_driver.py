"""The blocking driver."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias, TypeVar

import httpx

from inference_results.client.errors import UnexpectedResponse
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.requests import ServiceRequest, ServiceResponse
from inference_results.client.flows.steps import Fetch, Item, Operation, Send, Sleep, Stream
from inference_results.client.flows.waits import MAX_IN_FLIGHT
from inference_results.client.transports.auth import PresignedUrl
from inference_results.client.transports.http_api import Api, connection_error, parse_response
from inference_results.domain.record.errors import InferenceResultsError

_T = TypeVar("_T")

_Job: TypeAlias = tuple[ServiceRequest, Future[ServiceResponse | None]]


class Backend(Protocol):
    """Responds to requests: the HTTP API, or the table."""

    def send(self, request: ServiceRequest) -> ServiceResponse:
        """Send a request. Returns client errors as responses instead of raising them."""

    def close(self) -> None:
        """Release connections and threads."""


class HttpBackend:
    """The HTTP API. Safe to share between threads."""

    def __init__(self, api: Api, http: httpx.Client) -> None:
        self._api = api
        self._http = http

    def send(self, request: ServiceRequest) -> ServiceResponse:
        try:
            http_response = self._http.send(
                self._api.build_request(request), follow_redirects=False
            )
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return parse_response(request, http_response)

    def close(self) -> None:
        self._http.close()


class Driver:
    """Carries out the steps of operations. `storage` fetches outputs, without credentials."""

    def __init__(
        self,
        backend: Backend,
        storage: httpx.Client,
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.backoff = backoff or Backoff()
        self._backend = backend
        self._storage = storage
        self._sleep = sleep

    def run(self, operation: Operation[_T]) -> _T:
        """Run an operation and return its value."""
        result: Any = None
        try:
            while True:
                try:
                    step = operation.send(result)
                except StopIteration as end:
                    value: _T = end.value
                    return value
                result = self._execute(step)
        finally:
            operation.close()

    def iterate(self, stream: Stream[_T]) -> Generator[_T, None, None]:
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
                    result = self._execute(step)
        finally:
            stream.close()

    def close(self) -> None:
        self._backend.close()
        self._storage.close()

    def _execute(self, step: Send | Sleep | Fetch) -> Any:
        match step:
            case Send():
                return self._send_all(step)
            case Fetch():
                return self._fetch(step)
            case Sleep(seconds):
                self._sleep(seconds)
        return None

    def _send_all(self, step: Send) -> list[ServiceResponse | None]:
        if len(step.requests) == 1:
            return [self._backend.send(step.requests[0])]
        return _send_concurrently(partial(self._send_queued, step), step.requests)

    def _send_queued(self, step: Send, request: ServiceRequest) -> ServiceResponse | None:
        limited = step.limit_wait(request, self.backoff.clock())
        return None if limited is None else self._backend.send(limited)

    def _fetch(self, step: Fetch) -> InferenceResultsError | None:
        download = step.download
        headers = download.request_headers
        try:
            with self._storage.stream(
                "GET", step.url, headers=headers, auth=PresignedUrl()
            ) as http_response:
                if http_response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    return download.parse_error(http_response.status_code, http_response.read())
                download.start(http_response.headers)
                # Without a chunk size: a partly filled chunk would be lost with the connection.
                for chunk in http_response.iter_raw():
                    download.receive(chunk)
                    download.report_progress()
                download.finish()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return UnexpectedResponse("the API returned an invalid output URL: check api_url")
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return None


def _send_concurrently(
    send: Callable[[ServiceRequest], ServiceResponse | None], requests: Sequence[ServiceRequest]
) -> list[ServiceResponse | None]:
    """Return the responses in the order of the requests, or raise the first error.

    Each call starts its own threads, because shared ones could be busy with the long waits of
    another call. They are daemon threads, because those of an executor keep the interpreter from
    exiting while requests are in flight.
    """
    futures: list[Future[ServiceResponse | None]] = [Future() for _ in requests]
    jobs = SimpleQueue[_Job | None]()
    for job in zip(requests, futures, strict=True):
        jobs.put(job)
    for _ in range(min(MAX_IN_FLIGHT, len(requests))):
        jobs.put(None)
        threading.Thread(
            target=_run_jobs, args=(send, jobs), name="inference-results", daemon=True
        ).start()
    try:
        return [each.result() for each in futures]
    finally:
        for each in futures:
            each.cancel()


def _run_jobs(
    send: Callable[[ServiceRequest], ServiceResponse | None], jobs: SimpleQueue[_Job | None]
) -> None:
    for request, future in iter(jobs.get, None):
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(send(request))
        except BaseException as error:
            future.set_exception(error)
