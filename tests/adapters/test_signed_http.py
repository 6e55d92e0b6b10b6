import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from inference_results.adapters.signed_http import SignedHttp

CREDENTIALS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret/of+tests",
}
NOW = 1795880000


@pytest.fixture(autouse=True)
def function(monkeypatch):
    """The environment of a function."""
    for name in ("AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


class Service(BaseHTTPRequestHandler):
    """Remembers the paths that it was asked for, and answers as `server.answer` says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.paths.append(self.path)
        self.server.connections.add(self.client_address)
        self.wfile.write(self.server.answer())

    def log_message(self, *_):
        pass


@contextmanager
def serving(answer):
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.paths, server.connections, server.answer = [], set(), answer
        server.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def whole():
    return b"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\n0123"


PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(
    lambda key: f"/bucket/{quote(key, safe='/~')}"
)


@given(
    path=PATHS,
    body=st.binary(max_size=20),
    token=st.none() | st.just("token/of+a=session"),
    headers=st.dictionaries(
        st.sampled_from(["range", "content-type", "x-amz-target"]), st.just("a value"), max_size=3
    ),
)
def test_requests_are_signed_as_botocore_signs_them(path, body, token, headers):
    variables = CREDENTIALS | ({"AWS_SESSION_TOKEN": token} if token else {})
    with (
        patch.dict("os.environ", variables),
        patch(
            "time.gmtime", lambda: time.struct_time(datetime.fromtimestamp(NOW, UTC).timetuple())
        ),
        patch("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC)),
    ):
        found = SignedHttp("s3", 1)._signed("PUT", path, headers, body)
        request = AWSRequest("PUT", f"https://s3.eu-west-1.amazonaws.com{path}", headers, body)
        credentials = ReadOnlyCredentials(
            CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], token
        )
        S3SigV4Auth(credentials, "s3", "eu-west-1").add_auth(request)
    expected = {name.lower(): value for name, value in request.headers.items()}
    assert found == expected | {"host": "s3.eu-west-1.amazonaws.com"}


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, "https://127.0.0.1:1"),
        ({"AWS_REGION": "eu-west-1"}, "https://dynamodb.eu-west-1.amazonaws.com"),
        ({"AWS_REGION": "cn-north-1"}, "https://dynamodb.cn-north-1.amazonaws.com.cn"),
        ({"AWS_REGION": "eusc-de-east-1"}, "https://dynamodb.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_the_endpoint_is_the_one_that_is_named_or_the_regions(monkeypatch, variables, endpoint):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert SignedHttp("dynamodb", 1).endpoint == endpoint


@pytest.mark.parametrize("path", ["/bucket/a/../b", "/bucket/./x", "/bucket//y", "/bucket/%20%2B"])
def test_a_path_is_sent_as_it_is(monkeypatch, path):
    """A key of S3 may have any characters, and is signed as it stands."""
    with serving(whole) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        answer = SignedHttp("s3", 1).send("GET", path, {})
    assert (answer.status, answer.data) == (206, b"0123")
    assert server.paths == [path]


def test_a_connection_is_kept(monkeypatch):
    with serving(whole) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        http = SignedHttp("s3", 1)
        for _ in range(3):
            http.send("GET", "/bucket/key", {})
    assert (len(server.paths), len(server.connections)) == (3, 1)


def cut_off():
    return b"HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 9\r\n\r\n0123"


def silent():
    time.sleep(1)
    return whole()


@pytest.mark.parametrize("answer", [cut_off, silent, lambda: b"nonsense\r\n\r\n", lambda: b""])
def test_no_answer_and_a_part_of_one_are_the_same(monkeypatch, answer):
    monkeypatch.setattr("inference_results.adapters.signed_http.READ_SECONDS", 0.3)
    with serving(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}) is None
    assert server.paths == ["/bucket/key"]


def test_a_service_that_cannot_be_reached_is_no_answer(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}) is None


def test_a_proxy_is_told_the_whole_url(monkeypatch):
    with serving(whole) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.example:4566")
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}).data == b"0123"
    assert proxy.paths == ["http://aws.example:4566/bucket/key"]
