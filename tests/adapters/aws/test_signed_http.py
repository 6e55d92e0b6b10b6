import gzip
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Barrier, Thread
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from inference_results.adapters.aws.calls import CONNECT_SECONDS, READ_SECONDS
from inference_results.adapters.aws.signed_http import SignedHttp

CREDENTIALS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret/of+tests",
}
DAYS = (1795880000, 1795966400)


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


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that goes away is what some tests are about."""


@contextmanager
def serving(answer, context=None):
    with Server(("127.0.0.1", 0), Service) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
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
    seconds=st.sampled_from(DAYS),
)
def test_requests_are_signed_as_botocore_signs_them(path, body, token, headers, seconds):
    variables = CREDENTIALS | ({"AWS_SESSION_TOKEN": token} if token else {})
    now = datetime.fromtimestamp(seconds, UTC)
    with (
        patch.dict("os.environ", variables),
        patch("time.gmtime", now.timetuple),
        patch("botocore.auth.get_current_datetime", lambda: now),
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


def test_as_many_connections_are_kept_as_there_are_threads(monkeypatch):
    together = Barrier(3, timeout=5)

    def answer():
        together.wait()
        return whole()

    with serving(answer) as server, ThreadPoolExecutor(3) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        http = SignedHttp("s3", 3)
        for _ in range(3):
            list(pool.map(lambda _: http.send("GET", "/bucket/key", {}), range(3)))
    assert (len(server.paths), len(server.connections)) == (9, 3)


def test_a_call_ends_in_the_time_that_a_batch_reckons_with():
    timeout = SignedHttp("s3", 1)._pool.timeout
    assert (timeout.connect_timeout, timeout.read_timeout) == (CONNECT_SECONDS, READ_SECONDS)


def test_an_object_that_is_stored_compressed_is_read_as_it_is(monkeypatch):
    stored = gzip.compress(b"0123456789")

    def answer():
        head = (
            "HTTP/1.1 206 Partial Content\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n"
        )
        return head.format(len(stored)).encode() + stored

    with serving(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}).data == stored


@pytest.mark.parametrize(
    ("host", "is_trusted", "answered"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("localhost", True, False)],
    ids=["trusted", "of an unknown authority", "of another name"],
)
def test_only_who_shows_a_trusted_certificate_of_its_name_is_asked(
    monkeypatch, tmp_path, host, is_trusted, answered
):
    files = certificate_of("127.0.0.1", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if is_trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(files[0]))
    with serving(whole, context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{host}:{server.server_port}")
        answer = SignedHttp("s3", 1).send("GET", "/bucket/key", {})
    assert (answer is not None) == answered


def certificate_of(address, folder):
    """Files with a certificate that its own key signed, and with the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "service")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(encoding))
    files[1].write_bytes(private)
    return files


def cut_off():
    return b"HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 9\r\n\r\n0123"


def silent():
    time.sleep(1)
    return whole()


@pytest.mark.parametrize("answer", [cut_off, silent, lambda: b"nonsense\r\n\r\n", lambda: b""])
def test_no_answer_and_a_part_of_one_are_the_same(monkeypatch, answer):
    monkeypatch.setattr("inference_results.adapters.aws.signed_http.READ_SECONDS", 0.3)
    with serving(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}) is None
    assert server.paths == ["/bucket/key"]


def test_a_service_that_cannot_be_reached_is_no_answer(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}) is None


@pytest.mark.parametrize("written", ["http://{}", "{}", "//{}", "http://user@{}"])
def test_a_proxy_is_told_the_whole_url(monkeypatch, written):
    with serving(whole) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.example:4566")
        monkeypatch.setenv("HTTP_PROXY", written.format(proxy.url.removeprefix("http://")))
        monkeypatch.setenv("NO_PROXY", "")
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}).data == b"0123"
    assert proxy.paths == ["http://aws.example:4566/bucket/key"]
