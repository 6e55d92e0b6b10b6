"""Both clients with real connections, threads and event loops."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from inference_results.client import (
    AsyncClient,
    Client,
    ServiceUnavailable,
    UnexpectedResponse,
    WaitTimeout,
)
from inference_results.client.flows.requests import GetRecords
from inference_results.client.flows.steps import Send
from inference_results.client.transports import async_driver, sync_driver
from inference_results.client.transports.http_api import Api
from tests.client.service import API_URL, BlockingAsyncClient, async_client, blocking_client

CONTENT = b"0123456789" * 100_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        match self.path.partition("?")[0]:
            case "/inference":
                self._respond(200, b'{"inference_id": "one", "endpoint_name": "a", "status": "b"}')
            case "/inference/output":
                self._respond(307, b"", location=f"http://{self.headers['host']}/object")
            case "/object":
                self._object()

    def _object(self):
        first = "range" not in self.headers
        start = 0 if first else int(self.headers["range"][6:-1])
        body = CONTENT[start:]
        headers = {"etag": '"one"'}
        if not first:
            headers["content-range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        self._respond(200 if first else 206, body[:300_000], length=len(body), **headers)
        self.close_connection = True

    def _respond(self, status, body, length=None, **headers):
        self.server.tokens[self.headers.get("authorization")] += 1
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Keep the test output quiet."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.tokens = Counter()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(params=[Client, AsyncClient])
def client(request, server):
    client = request.param(server.url, token="a-token")
    if isinstance(client, Client):
        with client:
            yield client
    else:
        blocking = BlockingAsyncClient(client)
        yield blocking
        blocking.close_loop()


def test_an_output_is_complete_after_several_broken_connections(client, server, tmp_path):
    size = client.save_output("one", tmp_path / "out")
    assert size == len(CONTENT)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert server.tokens == {"Bearer a-token": 4, None: 4}


def test_wait_returns_the_record(client):
    assert client.wait("one", 5).status == "b"


def test_wait_times_out_if_the_service_is_unreachable():
    with Client("http://127.0.0.1:9", token="a-token") as client:
        started = time.monotonic()
        with pytest.raises(WaitTimeout) as timed_out:
            client.wait("one", 0.5)
        assert time.monotonic() - started < 2
        assert isinstance(timed_out.value.__cause__, ServiceUnavailable)


class ConcurrencyCounter:
    """Measures the maximum number of concurrent requests, and the threads that send them."""

    def __init__(self):
        self.maximum = 0
        self.threads = set()
        self._current = 0
        self._lock = threading.Lock()

    def __enter__(self):
        with self._lock:
            self._current += 1
            self.maximum = max(self.maximum, self._current)
            self.threads.add(threading.get_ident())

    def __exit__(self, *_error):
        with self._lock:
            self._current -= 1


class HoldingBackend:
    """A backend that holds requests with a `wait` until `released`, and records all requests."""

    def __init__(self):
        self.requests = []
        self.held = threading.Semaphore(0)
        self.released = threading.Event()

    def send(self, request):
        self.requests.append(request)
        if request.wait:
            self.held.release()
            self.released.wait(10)
        return EMPTY

    def close(self):
        """Holds no resources."""


def async_client_with(transport):
    backend = async_driver.HttpBackend(Api(API_URL), httpx.AsyncClient(transport=transport))
    return AsyncClient.with_driver(async_driver.Driver(backend, httpx.AsyncClient()))


IDS = [f"inference-{number}" for number in range(3000)]
EMPTY = {"inferences": [], "missing": []}


def test_a_call_sends_concurrent_requests_in_at_most_ten_threads():
    counter = ConcurrencyCounter()

    def service(_request):
        with counter:
            time.sleep(0.01)
        return httpx.Response(200, json=EMPTY)

    with blocking_client(service) as client:
        client.batch_get(IDS)
    assert 2 <= counter.maximum <= 10
    assert 2 <= len(counter.threads) <= 10


def test_an_async_call_has_at_most_ten_requests_in_flight():
    counter = ConcurrencyCounter()

    class Service(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _request):
            with counter:
                await asyncio.sleep(0.01)
            return httpx.Response(200, json=EMPTY)

    async def get():
        async with async_client_with(Service()) as client:
            await client.batch_get(IDS)

    asyncio.run(get())
    assert counter.maximum == 10
    assert len(counter.threads) == 1


def test_a_call_does_not_queue_behind_the_waits_of_another():
    backend = HoldingBackend()
    with Client.with_driver(sync_driver.Driver(backend, httpx.Client())) as client:
        waiting = threading.Thread(target=partial(wait_until_timeout, client), daemon=True)
        waiting.start()
        for _ in range(10):
            assert backend.held.acquire(timeout=10)
        calling = threading.Thread(target=partial(client.batch_get, IDS), daemon=True)
        calling.start()
        calling.join(5)
        assert not calling.is_alive()
        backend.released.set()
        waiting.join(10)


def wait_until_timeout(client):
    with pytest.raises(WaitTimeout):
        client.wait_all(IDS, 0.5)


def test_a_task_does_not_queue_behind_the_waits_of_another():
    class Service(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            if json.loads(request.content)["wait"]:
                await asyncio.sleep(30)
            return httpx.Response(200, json=EMPTY)

    async def get_while_waiting():
        async with async_client_with(Service()) as client:
            waiting = asyncio.create_task(client.wait_all(IDS, 60))
            await asyncio.sleep(0.05)
            async with asyncio.timeout(5):
                await client.batch_get(IDS)
            waiting.cancel()

    asyncio.run(get_while_waiting())


def test_a_queued_request_does_not_wait_beyond_the_deadline():
    send = Send((), deadline=60)
    request = GetRecords(("one",), None, 20)
    assert send.limit_wait(request, 30) == request
    assert send.limit_wait(request, 50) == GetRecords(("one",), None, 10)
    assert send.limit_wait(request, 64) == GetRecords(("one",), None, 0)
    assert send.limit_wait(request, 66) is None


def test_the_interpreter_exits_while_requests_are_in_flight():
    script = """
import _thread, time
from tests.client.service import blocking_client

def service(_request):
    _thread.interrupt_main()
    time.sleep(60)

blocking_client(service).batch_get(map(str, range(300)))
"""
    ended = subprocess.run(  # noqa: S603 - the script is the one above
        [sys.executable, "-c", script],
        timeout=20,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert b"KeyboardInterrupt" in ended.stderr


@pytest.mark.parametrize("ids", [IDS[:1], IDS])
def test_an_unexpected_exception_keeps_its_type_and_cause(make_client, ids):
    def service(_request):
        raise RuntimeError("a bug") from KeyError("its cause")

    with pytest.raises(RuntimeError) as raised:
        make_client(service).batch_get(ids)
    assert isinstance(raised.value.__cause__, KeyError)


def test_async_requests_to_the_table_do_not_wait_in_threads():
    backend = HoldingBackend()

    async def wait():
        driver = async_driver.Driver(async_driver.ThreadedBackend(backend), httpx.AsyncClient())
        async with AsyncClient.with_driver(driver) as client:
            with pytest.raises(WaitTimeout):
                await client.wait_all(IDS, 0.1)

    asyncio.run(wait())
    assert {each.wait for each in backend.requests} == {0}


class HoldingServer:
    """A server in the event loop whose responses to waits, batches and downloads never end."""

    def __init__(self):
        self.held = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=200)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_error):
        self._server.close()
        await self._server.wait_closed()

    async def wait_until_held(self, number):
        async with asyncio.timeout(10):
            while self.held != number:
                await asyncio.sleep(0.01)

    async def _serve(self, reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        if b" /inference/output" in request:
            location = f"location: {self.url}/object"
            writer.write(f"HTTP/1.1 307 R\r\n{location}\r\ncontent-length: 0\r\n\r\n".encode())
        elif b"wait" in request or b":batchGet" in request or b" /object" in request:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")
            self.held += 1
            await reader.read()
            self.held -= 1
        else:
            writer.write(b"HTTP/1.1 404 N\r\ncontent-length: 0\r\n\r\n")
        writer.close()


def test_many_waits_do_not_block_other_requests():
    async def get_while_waiting():
        async with HoldingServer() as server, AsyncClient(server.url, token="a-token") as client:
            waits = [asyncio.create_task(client.wait(each, 60)) for each in IDS[:120]]
            await server.wait_until_held(120)
            async with asyncio.timeout(5):
                with pytest.raises(UnexpectedResponse, match="404"):
                    await client.get("one")
            for each in waits:
                each.cancel()
            await server.wait_until_held(0)

    asyncio.run(get_while_waiting())


@pytest.mark.parametrize(
    "call",
    [
        lambda client, _path: client.wait("one", 60),
        lambda client, path: client.save_output("one", path / "out"),
    ],
)
def test_cancelling_a_task_closes_its_connection_and_removes_its_file(tmp_path, call):
    async def cancel():
        async with HoldingServer() as server, AsyncClient(server.url, token="a-token") as client:
            task = asyncio.create_task(call(client, tmp_path))
            await server.wait_until_held(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.wait_until_held(0)
            assert list(tmp_path.iterdir()) == []

    asyncio.run(cancel())


def test_cancelling_wait_all_closes_all_its_connections():
    async def cancel():
        async with HoldingServer() as server, AsyncClient(server.url, token="a-token") as client:
            task = asyncio.create_task(client.wait_all(IDS, 60))
            await server.wait_until_held(10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.wait_until_held(0)

    asyncio.run(cancel())


def test_breaking_out_of_an_iteration_leaves_no_warning():
    record = {"inference_id": "one", "endpoint_name": "a", "status": "b"}

    def service(_request):
        return httpx.Response(200, json={"inferences": [record], "missing": []})

    async def break_early():
        async with async_client(service) as client:
            async for each in client.as_completed(["one", "two"], 60):
                assert each.inference_id == "one"
                break

    asyncio.run(break_early())
    gc.collect()
