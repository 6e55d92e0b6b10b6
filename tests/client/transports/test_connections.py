"""Both clients over true connections, threads and event loops."""

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
from tests.client.service import API_URL, InLoop, asyncio_client, blocking_client

CONTENT = b"0123456789" * 100_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        match self.path.partition("?")[0]:
            case "/inference":
                self._answer(200, b'{"inference_id": "one", "endpoint_name": "a", "status": "b"}')
            case "/inference/output":
                self._answer(307, b"", location=f"http://{self.headers['host']}/object")
            case "/object":
                self._object()

    def _object(self):
        first = "range" not in self.headers
        start = 0 if first else int(self.headers["range"][6:-1])
        body = CONTENT[start:]
        headers = {"etag": '"one"'}
        if not first:
            headers["content-range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        self._answer(200 if first else 206, body[:300_000], length=len(body), **headers)
        self.close_connection = True

    def _answer(self, status, body, length=None, **headers):
        self.server.tokens[self.headers.get("authorization")] += 1
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Nothing: tests are quiet."""


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
        in_loop = InLoop(client)
        yield in_loop
        in_loop.close_loop()


def test_connections_that_break_again_and_again_yield_the_whole_output(client, server, tmp_path):
    size = client.save_output("one", tmp_path / "out")
    assert size == len(CONTENT)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert server.tokens == {"Bearer a-token": 4, None: 4}


def test_a_wait_ends(client):
    assert client.wait("one", 5).status == "b"


def test_a_service_that_is_gone_ends_a_wait_in_time():
    with Client("http://127.0.0.1:9", token="a-token") as client:
        began = time.monotonic()
        with pytest.raises(WaitTimeout) as timed_out:
            client.wait("one", 0.5)
        assert time.monotonic() - began < 2
        assert isinstance(timed_out.value.__cause__, ServiceUnavailable)


class Crowd:
    """Counts how many ask at the same time, and from how many threads."""

    def __init__(self):
        self.most = 0
        self.threads = set()
        self._now = 0
        self._counting = threading.Lock()

    def __enter__(self):
        with self._counting:
            self._now += 1
            self.most = max(self.most, self._now)
            self.threads.add(threading.get_ident())

    def __exit__(self, *_error):
        with self._counting:
            self._now -= 1


class Crossroads:
    """A backend that keeps those who wait, and says which questions it was asked."""

    def __init__(self):
        self.asked = []
        self.full = threading.Semaphore(0)
        self.opened = threading.Event()

    def reply(self, question):
        self.asked.append(question)
        if question.wait:
            self.full.release()
            self.opened.wait(10)
        return EMPTY

    def close(self):
        """Nothing is open."""


def asyncio_client_over(transport):
    backend = async_driver.HttpBackend(Api(API_URL), httpx.AsyncClient(transport=transport))
    return AsyncClient.driven_by(async_driver.Driver(backend, httpx.AsyncClient()))


IDS = [f"inference-{number}" for number in range(3000)]
EMPTY = {"inferences": [], "missing": []}


def test_questions_are_put_side_by_side_in_at_most_ten_threads():
    crowd = Crowd()

    def service(_request):
        with crowd:
            time.sleep(0.01)
        return httpx.Response(200, json=EMPTY)

    with blocking_client(service) as client:
        client.batch_get(IDS)
    assert 2 <= crowd.most <= 10
    assert 2 <= len(crowd.threads) <= 10


def test_at_most_ten_questions_of_a_call_are_in_flight_in_an_event_loop():
    crowd = Crowd()

    class Service(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _request):
            with crowd:
                await asyncio.sleep(0.01)
            return httpx.Response(200, json=EMPTY)

    async def ask():
        async with asyncio_client_over(Service()) as client:
            await client.batch_get(IDS)

    asyncio.run(ask())
    assert crowd.most == 10
    assert len(crowd.threads) == 1


def test_a_call_does_not_wait_for_the_long_questions_of_another():
    backend = Crossroads()
    with Client.driven_by(sync_driver.Driver(backend, httpx.Client())) as client:
        waiting = threading.Thread(target=partial(waited_in_vain, client), daemon=True)
        waiting.start()
        for _ in range(10):
            assert backend.full.acquire(timeout=10)
        calling = threading.Thread(target=partial(client.batch_get, IDS), daemon=True)
        calling.start()
        calling.join(5)
        assert not calling.is_alive()
        backend.opened.set()
        waiting.join(10)


def waited_in_vain(client):
    with pytest.raises(WaitTimeout):
        client.wait_all(IDS, 0.5)


def test_a_task_does_not_wait_for_the_long_questions_of_another():
    class Service(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            if json.loads(request.content)["wait"]:
                await asyncio.sleep(30)
            return httpx.Response(200, json=EMPTY)

    async def ask():
        async with asyncio_client_over(Service()) as client:
            waiting = asyncio.create_task(client.wait_all(IDS, 60))
            await asyncio.sleep(0.05)
            async with asyncio.timeout(5):
                await client.batch_get(IDS)
            waiting.cancel()

    asyncio.run(ask())


def test_a_question_whose_turn_comes_late_is_not_held_open_beyond_the_deadline():
    ask = Send((), deadline=60)
    question = GetRecords(("one",), None, 20)
    assert ask.in_turn(question, 30) == question
    assert ask.in_turn(question, 50) == GetRecords(("one",), None, 10)
    assert ask.in_turn(question, 64) == GetRecords(("one",), None, 0)
    assert ask.in_turn(question, 66) is None


def test_the_interpreter_does_not_wait_for_questions_that_are_held_open():
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
def test_a_bug_has_the_same_type_however_many_ids_there_are(client_of, ids):
    def service(_request):
        raise RuntimeError("a bug") from KeyError("of this")

    with pytest.raises(RuntimeError) as raised:
        client_of(service).batch_get(ids)
    assert isinstance(raised.value.__cause__, KeyError)


def test_in_an_event_loop_no_thread_is_held_by_a_question_to_the_table():
    backend = Crossroads()

    async def ask():
        driver = async_driver.Driver(async_driver.ThreadedBackend(backend), httpx.AsyncClient())
        async with AsyncClient.driven_by(driver) as client:
            with pytest.raises(WaitTimeout):
                await client.wait_all(IDS, 0.1)

    asyncio.run(ask())
    assert {each.wait for each in backend.asked} == {0}


class Holding:
    """A server in the event loop: what it is asked to hold open, and an object, do not end."""

    def __init__(self):
        self.held = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=200)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_error):
        self._server.close()
        await self._server.wait_closed()

    async def holds(self, number):
        async with asyncio.timeout(10):
            while self.held != number:
                await asyncio.sleep(0.01)

    async def _serve(self, reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        if b" /inference/output" in request:
            place = f"location: {self.url}/object"
            writer.write(f"HTTP/1.1 307 R\r\n{place}\r\ncontent-length: 0\r\n\r\n".encode())
        elif b"wait" in request or b":batchGet" in request or b" /object" in request:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")
            self.held += 1
            await reader.read()
            self.held -= 1
        else:
            writer.write(b"HTTP/1.1 404 N\r\ncontent-length: 0\r\n\r\n")
        writer.close()


def test_any_number_of_waits_leaves_a_connection_to_others():
    async def ask():
        async with Holding() as server, AsyncClient(server.url, token="a-token") as client:
            waits = [asyncio.create_task(client.wait(each, 60)) for each in IDS[:120]]
            await server.holds(120)
            async with asyncio.timeout(5):
                with pytest.raises(UnexpectedResponse, match="404"):
                    await client.get("one")
            for each in waits:
                each.cancel()
            await server.holds(0)

    asyncio.run(ask())


@pytest.mark.parametrize(
    "call",
    [
        lambda client, _path: client.wait("one", 60),
        lambda client, path: client.save_output("one", path / "out"),
    ],
)
def test_a_task_that_is_cancelled_leaves_neither_connection_nor_file(tmp_path, call):
    async def cancel():
        async with Holding() as server, AsyncClient(server.url, token="a-token") as client:
            task = asyncio.create_task(call(client, tmp_path))
            await server.holds(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.holds(0)
            assert list(tmp_path.iterdir()) == []

    asyncio.run(cancel())


def test_a_wait_for_many_that_is_cancelled_takes_back_all_its_questions():
    async def cancel():
        async with Holding() as server, AsyncClient(server.url, token="a-token") as client:
            task = asyncio.create_task(client.wait_all(IDS, 60))
            await server.holds(10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.holds(0)

    asyncio.run(cancel())


def test_an_iteration_that_is_given_up_leaves_nothing_behind():
    record = {"inference_id": "one", "endpoint_name": "a", "status": "b"}

    def service(_request):
        return httpx.Response(200, json={"inferences": [record], "missing": []})

    async def give_up():
        async with asyncio_client(service) as client:
            async for each in client.as_completed(["one", "two"], 60):
                assert each.inference_id == "one"
                break

    asyncio.run(give_up())
    gc.collect()
