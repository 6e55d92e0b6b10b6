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

from inference_results.adapters.aws.config import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from inference_results.adapters.aws.signed_http import SignedHttp

CREDENTIALS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret/of+tests",
}
DAYS = (1795880000, 1795966400)


@pytest.fixture(autouse=True)
def function_environment(monkeypatch):
    """Set the environment of a Lambda function."""
    for name in ("AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


class Handler(BaseHTTPRequestHandler):
    """Records request paths, and responds with `server.respond()`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.paths.append(self.path)
        self.server.connections.add(self.client_address)
        self.wfile.write(self.server.respond())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Ignore errors: some tests close the connection early."""


@contextmanager
def serving(respond, context=None):
    with Server(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.paths, server.connections, server.respond = [], set(), respond
        server.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def complete():
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
def test_requests_have_the_signature_of_botocore(path, body, token, headers, seconds):
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
def test_the_endpoint_is_the_configured_or_the_regional_one(monkeypatch, variables, endpoint):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert SignedHttp("dynamodb", 1).endpoint == endpoint


@pytest.mark.parametrize("path", ["/bucket/a/../b", "/bucket/./x", "/bucket//y", "/bucket/%20%2B"])
def test_a_path_is_sent_unchanged(monkeypatch, path):
    """An S3 key can contain any characters, and is signed unchanged."""
    with serving(complete) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        response = SignedHttp("s3", 1).send("GET", path, {})
    assert (response.status, response.data) == (206, b"0123")
    assert server.paths == [path]


def test_a_connection_is_reused(monkeypatch):
    with serving(complete) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        http = SignedHttp("s3", 1)
        for _ in range(3):
            http.send("GET", "/bucket/key", {})
    assert (len(server.paths), len(server.connections)) == (3, 1)


def test_each_thread_can_reuse_a_connection(monkeypatch):
    all_connected = Barrier(3, timeout=5)

    def respond():
        all_connected.wait()
        return complete()

    with serving(respond) as server, ThreadPoolExecutor(3) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        http = SignedHttp("s3", 3)
        for _ in range(3):
            list(pool.map(lambda _: http.send("GET", "/bucket/key", {}), range(3)))
    assert (len(server.paths), len(server.connections)) == (9, 3)


def test_calls_have_the_same_timeouts_as_botocores_clients():
    timeout = SignedHttp("s3", 1)._pool.timeout
    assert (timeout.connect_timeout, timeout.read_timeout) == (
        CONNECT_TIMEOUT_SECONDS,
        READ_TIMEOUT_SECONDS,
    )


def test_a_compressed_object_is_not_decompressed(monkeypatch):
    stored = gzip.compress(b"0123456789")

    def respond():
        head = (
            "HTTP/1.1 206 Partial Content\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n"
        )
        return head.format(len(stored)).encode() + stored

    with serving(respond) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}).data == stored


@pytest.mark.parametrize(
    ("host", "is_trusted", "responds"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("localhost", True, False)],
    ids=["trusted", "unknown authority", "another name"],
)
def test_only_a_trusted_certificate_for_the_host_is_accepted(
    monkeypatch, tmp_path, host, is_trusted, responds
):
    files = create_certificate("127.0.0.1", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if is_trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(files[0]))
    with serving(complete, context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{host}:{server.server_port}")
        response = SignedHttp("s3", 1).send("GET", "/bucket/key", {})
    assert (response is not None) == responds


def create_certificate(address, folder):
    """Write a self-signed certificate and its key to files."""
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


def truncated():
    return b"HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 9\r\n\r\n0123"


def slow():
    time.sleep(1)
    return complete()


@pytest.mark.parametrize("respond", [truncated, slow, lambda: b"nonsense\r\n\r\n", lambda: b""])
def test_an_incomplete_or_invalid_response_is_none(monkeypatch, respond):
    monkeypatch.setattr("inference_results.adapters.aws.signed_http.READ_TIMEOUT_SECONDS", 0.3)
    with serving(respond) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}) is None
    assert server.paths == ["/bucket/key"]


def test_an_unreachable_service_is_none(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}) is None


@pytest.mark.parametrize("proxy_url", ["http://{}", "{}", "//{}", "http://user@{}"])
def test_a_proxy_receives_the_whole_url(monkeypatch, proxy_url):
    with serving(complete) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.example:4566")
        monkeypatch.setenv("HTTP_PROXY", proxy_url.format(proxy.url.removeprefix("http://")))
        monkeypatch.setenv("NO_PROXY", "")
        assert SignedHttp("s3", 1).send("GET", "/bucket/key", {}).data == b"0123"
    assert proxy.paths == ["http://aws.example:4566/bucket/key"]
