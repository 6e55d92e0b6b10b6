"""The HTTP API in memory with simulated time, and both clients connected to it."""

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from functions.http_api.requests import parse_input
from inference_results.client import AsyncClient, Client
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.steps import Item, Send, Sleep
from inference_results.client.flows.waits import MAX_IN_FLIGHT
from inference_results.client.transports import async_driver, sync_driver
from inference_results.client.transports.http_api import Api, parse_response
from inference_results.contract import Problem
from inference_results.domain.record.parameters import REGISTRATION, SUBMISSION
from inference_results.domain.submissions.submission_request import inference_id_for

API_URL = "https://api.test"
OUTPUT_URL = "https://storage.test/output"
START = datetime(2026, 1, 25, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that advances only when code sleeps or the service holds a request."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)


@dataclass
class Invocation:
    """A simulated inference, which has its `status` from `ends_at` on.

    Before that it is InProgress if it is `registered`, else unknown.
    """

    inference_id: str
    ends_at: float = 0.0
    status: str = "Completed"
    registered: bool = False
    members: dict[str, Any] = field(default_factory=dict)

    def record(self, now: float) -> dict[str, Any] | None:
        key = {"inference_id": self.inference_id, "endpoint_name": "speech"}
        if now >= self.ends_at:
            event_time = (START + timedelta(seconds=self.ends_at)).isoformat()
            return key | {"status": self.status, "event_time": event_time} | self.members
        return key | {"status": "InProgress"} if self.registered else None


class FakeService:
    """The HTTP API.

    `failures` are responses or exceptions for the next requests. `invoked` holds the members and
    the input of each submission that invoked an endpoint. The next `lost_responses` writes succeed,
    but their responses are lost. `holds_requests` is False for a service that ignores `wait`.
    """

    def __init__(self, clock: Clock, *invocations: Invocation) -> None:
        self.invocations = {each.inference_id: each for each in invocations}
        self.missing: dict[str, dict[str, Any]] = {}
        self.failures: list[httpx.Response | Exception] = []
        self.output: httpx.Response | None = None
        self.pages: list[dict[str, Any]] = []
        self.registered: list[tuple[str, dict[str, Any]]] = []
        self.invoked: list[tuple[dict[str, Any], bytes | None]] = []
        self.lost_responses = 0
        self.requests: list[httpx.Request] = []
        self.calls_by_id = Counter[str]()
        self.holds_requests = True
        self.response_seconds = 0.0
        self._clock = clock

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self._clock.now += self.response_seconds
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return copy_response(failure)
        if request.method == "PUT" or (request.method, request.url.path) == ("POST", "/inferences"):
            return self._write(request)
        match request.url.path:
            case "/inference":
                return self._get(request.url.params)
            case "/inferences:batchGet":
                return self._batch_get(json.loads(request.content))
            case "/inference/output":
                return self._get_output(request.url.params["id"])
            case "/inferences":
                return httpx.Response(200, json=self.pages.pop(0))
            case "/endpoints/speech/summary":
                return httpx.Response(200, json={"endpoint_name": "speech", "days": SUMMARY})
        raise AssertionError(request.url.path)

    def _write(self, request: httpx.Request) -> httpx.Response:
        members = json.loads(request.content)
        match request.method, request.url.path:
            case "PUT", "/inference":
                response = self._register(request.url.params["id"], REGISTRATION.check(members))
            case "POST", "/inferences":
                others, body = parse_input(members)
                response = self._submit(SUBMISSION.check(others), body)
            case _:
                raise AssertionError(request.url.path)
        if self.lost_responses:
            self.lost_responses -= 1
            raise httpx.ReadTimeout("lost")
        return response

    def _register(self, inference_id: str, members: dict[str, Any]) -> httpx.Response:
        self.registered.append((inference_id, members))
        promised = {name: members[name] for name in PROMISED if name in members}
        record = {"inference_id": inference_id, "endpoint_name": members["endpoint"]}
        record |= {"status": "InProgress", "submitted_at": members["submitted_at"]}
        return httpx.Response(200, json=record | {"submission": promised})

    def _submit(self, members: dict[str, Any], body: bytes | None) -> httpx.Response:
        inference_id = inference_id_for(members["endpoint"], members["idempotency_key"])
        record = {"inference_id": inference_id, "endpoint_name": members["endpoint"]}
        record["status"] = "InProgress"
        for known, known_body in self.invoked:
            if known["idempotency_key"] == members["idempotency_key"]:
                if (known_body, known.get("input_location")) == (
                    body,
                    members.get("input_location"),
                ):
                    return httpx.Response(200, json=record)
                return problem(Problem.KEY_REUSED, 422, inference_id=inference_id)
        self.invoked.append((members, body))
        return httpx.Response(201, json=record)

    def _get(self, params: httpx.QueryParams) -> httpx.Response:
        inference_id = params["id"]
        self.calls_by_id[inference_id] += 1
        if missing := self.missing.get(inference_id):
            return problem(**missing)
        self._hold([inference_id], float(params.get("wait", 0)))
        record = self._record(inference_id)
        return httpx.Response(200, json=record) if record else problem(Problem.UNKNOWN_INFERENCE)

    def _batch_get(self, members: dict[str, Any]) -> httpx.Response:
        ids = members["inference_ids"]
        assert 1 <= len(ids) <= 100
        self.calls_by_id.update(ids)
        self._hold(ids, members.get("wait", 0))
        records = {each: self._record(each) for each in ids}
        unknown = {"reason": "unknown"}
        missing = [
            {"inference_id": each} | self.missing.get(each, unknown)
            for each, record in records.items()
            if record is None
        ]
        inferences = [each for each in records.values() if each]
        return httpx.Response(200, json={"inferences": inferences, "missing": missing})

    def _get_output(self, inference_id: str) -> httpx.Response:
        if self.output:
            return copy_response(self.output)
        record = self._record(inference_id)
        assert record
        if record["status"] != "Completed":
            return problem(Problem.NO_OUTPUT, 409, inference_status=record["status"])
        return httpx.Response(307, headers={"location": OUTPUT_URL})

    def _record(self, inference_id: str) -> dict[str, Any] | None:
        invocation = self.invocations.get(inference_id)
        return invocation.record(self._clock.now) if invocation else None

    def _hold(self, ids: list[str], wait: float) -> None:
        assert 0 <= wait <= 20
        if not self.holds_requests:
            return
        ends = [self.invocations[each].ends_at for each in ids if each in self.invocations]
        all_ended = max(ends) if len(ends) == len(ids) else float("inf")
        self._clock.now = max(self._clock.now, min(self._clock.now + wait, all_ended))


def copy_response(response: httpx.Response) -> httpx.Response:
    """httpx can send a response only once."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def problem(type: str, status: int = 404, **members: Any) -> httpx.Response:
    document = {"type": str(type), "status": status, "detail": "the detail"} | members
    return httpx.Response(status, json=document)


PROMISED = ("output_location", "failure_location")

SUMMARY = [
    {
        "day": "2026-01-25",
        "counts": {"Completed": 12, "Failed": 1},
        "latency": {
            "count": 13,
            "p50_ms": 812,
            "p90_ms": 2210,
            "p99_ms": 5400,
            "histogram": [{"up_to_ms": 900, "count": 7}, {"up_to_ms": 6000, "count": 6}],
        },
    },
    {"day": "2026-01-24", "counts": {"Expired": 2}},
]

Handler = Callable[[httpx.Request], httpx.Response]


def no_storage(_request: httpx.Request) -> httpx.Response:
    raise AssertionError("expected no request to the storage")


def blocking_client(
    service: Handler, clock: Clock | None = None, storage: Handler = no_storage
) -> Client:
    clock = clock or Clock()
    http = httpx.Client(transport=httpx.MockTransport(service), trust_env=False)
    backend = sync_driver.HttpBackend(Api(API_URL), http)
    storage_http = httpx.Client(transport=httpx.MockTransport(storage), trust_env=False)
    backoff = Backoff(clock, lambda: 0.5)
    driver = sync_driver.Driver(backend, storage_http, backoff=backoff, sleep=clock.sleep)
    return Client.with_driver(driver)


def async_client(
    service: Handler, clock: Clock | None = None, storage: Handler = no_storage
) -> AsyncClient:
    clock = clock or Clock()
    http = httpx.AsyncClient(transport=httpx.MockTransport(service), trust_env=False)
    backend = async_driver.HttpBackend(Api(API_URL), http)
    storage_http = httpx.AsyncClient(transport=httpx.MockTransport(storage), trust_env=False)
    backoff = Backoff(clock, lambda: 0.5)
    driver = async_driver.Driver(backend, storage_http, backoff=backoff, sleep=clock.async_sleep)
    return AsyncClient.with_driver(driver)


class BlockingAsyncClient:
    """An AsyncClient with blocking methods: each call runs in an event loop."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            result = getattr(self._client, name)(*arguments, **named)
            if isinstance(result, AsyncIterator):
                return self._iterate(result)
            return self._runner.run(result)

        return call

    def _iterate(self, values: AsyncIterator[Any]) -> Iterator[Any]:
        async def next_value() -> Any:
            return await anext(values, None)

        while (value := self._runner.run(next_value())) is not None:
            yield value

    def close_loop(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


class SimulatedDriver:
    """Carries out steps in simulated time, with as many concurrent requests as the real drivers.

    `items` holds the time and the value of each Item, `sleeps` the seconds of each Sleep.
    """

    def __init__(self, clock: Clock, service: Handler) -> None:
        self.sleeps: list[float] = []
        self.items: list[tuple[float, Any]] = []
        self._clock = clock
        self._service = service

    def run(self, operation: Any) -> Any:
        result = None
        while True:
            try:
                step = operation.send(result)
            except StopIteration as end:
                return end.value
            result = self._execute(step)

    def _execute(self, step: Any) -> Any:
        match step:
            case Send():
                return self._send_all(step)
            case Sleep(seconds):
                self.sleeps.append(seconds)
                self._clock.sleep(seconds)
            case Item(value):
                self.items.append((self._clock.now, value))
        return None

    def _send_all(self, step: Send) -> list[Any]:
        free_at = [self._clock.now] * MAX_IN_FLIGHT
        responses = []
        for request in step.requests:
            self._clock.now = heapq.heappop(free_at)
            limited = step.limit_wait(request, self._clock.now)
            if limited is None:
                responses.append(None)
            else:
                http_response = self._service(Api(API_URL).build_request(limited))
                responses.append(parse_response(limited, http_response))
            heapq.heappush(free_at, self._clock.now)
        self._clock.now = max(free_at)
        return responses
