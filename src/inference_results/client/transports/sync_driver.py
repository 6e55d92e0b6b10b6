"""The driver of the operations that blocks its caller."""

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
from inference_results.client.flows.steps import Fetch, Item, Operation, Search, Send, Sleep
from inference_results.client.flows.waits import MAX_IN_FLIGHT
from inference_results.client.transports.auth import PresignedUrl
from inference_results.client.transports.http_api import Api, connection_error, parse_response
from inference_results.domain.record.errors import InferenceResultsError

_T = TypeVar("_T")

_Turn: TypeAlias = tuple[ServiceRequest, Future[ServiceResponse | None]]


class Backend(Protocol):
    """Who answers."""

    def reply(self, question: ServiceRequest) -> ServiceResponse:
        """Errors that the client knows are replies; they are not raised."""

    def close(self) -> None:
        """No question follows."""


class HttpBackend:
    """Asks the HTTP API; safe to share between threads."""

    def __init__(self, api: Api, http: httpx.Client) -> None:
        self._api = api
        self._http = http

    def reply(self, question: ServiceRequest) -> ServiceResponse:
        try:
            response = self._http.send(self._api.request(question), follow_redirects=False)
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return parse_response(question, response)

    def close(self) -> None:
        self._http.close()


class Driver:
    """Does the steps of operations. `storage` fetches outputs, and knows no credentials."""

    def __init__(
        self,
        backend: Backend,
        storage: httpx.Client,
        *,
        pace: Backoff | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.pace = pace or Backoff()
        self._backend = backend
        self._storage = storage
        self._sleep = sleep

    def result(self, operation: Operation[_T]) -> _T:
        """What the operation returns, or raises."""
        reply: Any = None
        try:
            while True:
                try:
                    step = operation.send(reply)
                except StopIteration as end:
                    value: _T = end.value
                    return value
                reply = self._do(step)
        finally:
            operation.close()

    def each(self, search: Search[_T]) -> Generator[_T, None, None]:
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
                    reply = self._do(step)
        finally:
            search.close()

    def close(self) -> None:
        self._backend.close()
        self._storage.close()

    def _do(self, step: Send | Sleep | Fetch) -> Any:
        match step:
            case Send():
                return self._ask(step)
            case Fetch():
                return self._fetch(step)
            case Sleep(seconds):
                self._sleep(seconds)
        return None

    def _ask(self, step: Send) -> list[ServiceResponse | None]:
        if len(step.questions) == 1:
            return [self._backend.reply(step.questions[0])]
        return _side_by_side(partial(self._reply_in_turn, step), step.questions)

    def _reply_in_turn(self, step: Send, question: ServiceRequest) -> ServiceResponse | None:
        asked = step.in_turn(question, self.pace.clock())
        return None if asked is None else self._backend.reply(asked)

    def _fetch(self, step: Fetch) -> InferenceResultsError | None:
        download = step.download
        headers = download.request_headers
        try:
            with self._storage.stream(
                "GET", step.url, headers=headers, auth=PresignedUrl()
            ) as answer:
                if answer.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    return download.refused(answer.status_code, answer.read())
                download.begin(answer.headers)
                # In pieces as they come: a larger one, half filled, is lost with the connection.
                for chunk in answer.iter_raw():
                    download.receive(chunk)
                    download.report()
                download.end()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return UnexpectedResponse("the API names a place of the output that is no URL")
        except httpx.RequestError as error:
            return connection_error(error)
        except InferenceResultsError as error:
            return error
        return None


def _side_by_side(
    reply: Callable[[ServiceRequest], ServiceResponse | None], questions: Sequence[ServiceRequest]
) -> list[ServiceResponse | None]:
    """The replies in the order of the questions; raises the first error among them.

    In threads of its own, so that no caller waits for the long questions of another. No executor:
    the interpreter would not end before the questions that are held open.
    """
    futures: list[Future[ServiceResponse | None]] = [Future() for _ in questions]
    turns = SimpleQueue[_Turn | None]()
    for turn in zip(questions, futures, strict=True):
        turns.put(turn)
    for _ in range(min(MAX_IN_FLIGHT, len(questions))):
        turns.put(None)
        threading.Thread(
            target=_take_turns, args=(reply, turns), name="inference-results", daemon=True
        ).start()
    try:
        return [each.result() for each in futures]
    finally:
        for each in futures:
            each.cancel()


def _take_turns(
    reply: Callable[[ServiceRequest], ServiceResponse | None], turns: SimpleQueue[_Turn | None]
) -> None:
    for question, future in iter(turns.get, None):
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(reply(question))
        except BaseException as error:
            future.set_exception(error)
