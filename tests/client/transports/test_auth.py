import asyncio
import hashlib
import hmac
import re
import ssl
import time
import traceback
from urllib.parse import quote

import boto3
import httpx
import pytest
from botocore.exceptions import TokenRetrievalError

from inference_results.client import AsyncClient, Client, InvalidRequest, NotAuthorized
from inference_results.client.flows.requests import GetRecord, GetRecords, Register, Submit
from inference_results.client.transports import async_driver, sync_driver
from inference_results.client.transports.auth import (
    BearerToken,
    Signature,
    build_auth,
    tls_context,
)
from inference_results.client.transports.http_api import Api

SECRET = "a secret"
URL = "https://gateway.test:8443/stage"


@pytest.fixture
def session():
    return boto3.Session("an-id", SECRET, "a-session-token", region_name="eu-west-1")


def send_blocking(auth, request, handler):
    with httpx.Client(auth=auth, transport=httpx.MockTransport(handler)) as http:
        return sync_driver.HttpBackend(Api(URL), http).send(request)


def send_async(auth, request, handler):
    async def send():
        transport = httpx.MockTransport(handler)
        async with httpx.AsyncClient(auth=auth, transport=transport) as http:
            return await async_driver.HttpBackend(Api(URL), http).send(request)

    return asyncio.run(send())


@pytest.fixture(params=[send_blocking, send_async])
def send(request):
    return request.param


def has_valid_signature(request):
    """Verify a SigV4 signature as AWS documents it, from the sent request alone."""
    authorization = request.headers["authorization"]
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=an-id/(.+), SignedHeaders=(.+), Signature=(.+)",
        authorization,
    )
    scope, signed_headers, signature = found.groups()
    path, _, query = request.url.raw_path.decode().partition("?")
    headers = "".join(f"{each}:{request.headers[each]}\n" for each in signed_headers.split(";"))
    canonical = "\n".join(
        (
            request.method,
            quote(path, safe="/~"),
            "&".join(sorted(query.split("&"))),
            headers,
            signed_headers,
            hashlib.sha256(request.content).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(signed_headers.split(";"))
    assert "/execute-api/aws4_request" in scope
    return hmac.digest(key, to_sign.encode(), "sha256").hex() == signature


@pytest.mark.parametrize(
    "service_request",
    [
        GetRecord("one", "speech", 20.0),
        GetRecord("a b/c?d=e&f#g%h+i~'()*!:@"),
        GetRecords(("one", "two"), None, 1.0),
        Register("a b/c?d=e&f#g%h+i~'()*!:@", {"endpoint": "speech"}),
        Submit({"endpoint": "speech"}, "Grüße".encode()),
    ],
)
def test_the_signature_matches_the_sent_request(send, session, service_request):
    valid = []

    def handler(request):
        valid.append(has_valid_signature(request))
        return httpx.Response(200, json={})

    send(build_auth(URL, session, None, None), service_request, handler)
    assert valid == [True]


@pytest.mark.parametrize(
    ("url", "given", "region"),
    [
        ("https://abc123.execute-api.ap-south-1.amazonaws.com", None, "ap-south-1"),
        ("https://abc123.execute-api.cn-north-1.amazonaws.com.cn/x", None, "cn-north-1"),
        ("https://abc123.execute-api.ap-south-1.amazonaws.com", "us-west-2", "us-west-2"),
        ("https://results.example.com", None, "eu-west-1"),
        ("https://results.example.com/x.execute-api.ap-south-1.amazonaws.com", None, "eu-west-1"),
    ],
)
def test_the_region_comes_from_the_argument_the_url_or_the_session(
    send, session, url, given, region
):
    scopes = []

    def handler(request):
        scopes.append(request.headers["authorization"])
        return httpx.Response(200, json={})

    send(build_auth(url, session, None, given), GetRecord("one"), handler)
    assert f"/{region}/execute-api/" in scopes[0]


def remove_aws_configuration(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("PROFILE", "REGION", "DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)


def test_a_missing_region_is_rejected(monkeypatch, tmp_path):
    remove_aws_configuration(monkeypatch, tmp_path)
    with pytest.raises(InvalidRequest, match="region"):
        Client("https://results.example.com")


def test_without_credentials_nothing_is_sent(send, monkeypatch, tmp_path):
    remove_aws_configuration(monkeypatch, tmp_path)
    response = send(Signature(boto3.Session(), "eu-west-1"), GetRecord("one"), pytest.fail)
    assert isinstance(response, NotAuthorized)
    assert "no AWS credentials" in str(response)


def test_credentials_that_cannot_be_refreshed_are_reported(send, session, monkeypatch):
    def fail():
        raise TokenRetrievalError(provider="sso", error_msg="expired")

    monkeypatch.setattr(session, "get_credentials", fail)
    response = send(Signature(session, "eu-west-1"), GetRecord("one"), pytest.fail)
    assert isinstance(response, NotAuthorized)
    assert "TokenRetrievalError" in str(response)


class TokenCheck:
    """An API that accepts one token."""

    def __init__(self, accepted):
        self.accepted = accepted
        self.received = []

    def __call__(self, request):
        self.received.append(request.headers["authorization"])
        accepted = request.headers["authorization"] == f"Bearer {self.accepted}"
        return httpx.Response(200 if accepted else 401, json={"message": "Unauthorized"})


def test_an_accepted_token_is_loaded_once(send):
    api, loaded = TokenCheck("first"), []

    def token():
        loaded.append("first")
        return "first\n"

    auth = build_auth(URL, None, token, None)
    send(auth, GetRecord("one"), api)
    send(auth, GetRecord("two"), api)
    assert api.received == ["Bearer first"] * 2
    assert loaded == ["first"]


def test_a_rejected_token_is_renewed_once(send):
    api, tokens = TokenCheck("second"), iter(["first", "second"])
    auth = build_auth(URL, None, lambda: next(tokens), None)
    assert send(auth, GetRecord("one"), api) == {"message": "Unauthorized"}
    assert api.received == ["Bearer first", "Bearer second"]


def test_a_token_that_stays_rejected_is_not_sent_forever(send):
    api = TokenCheck("other")
    auth = build_auth(URL, None, lambda: "mine", None)
    assert isinstance(send(auth, GetRecord("one"), api), NotAuthorized)
    assert api.received == ["Bearer mine"] * 2
    auth = build_auth(URL, None, "fixed", None)
    assert isinstance(send(auth, GetRecord("one"), api), NotAuthorized)
    assert api.received[2:] == ["Bearer fixed"]


@pytest.mark.parametrize("token", ["", " \n", "SECRET-1\nSECRET-2", "SECRET 2", "SECRET-\xe9"])
def test_an_invalid_token_is_rejected_and_not_shown(send, token):
    error = send(build_auth(URL, None, token, None), GetRecord("one"), pytest.fail)
    assert isinstance(error, InvalidRequest)
    assert error.parameter == "token"
    assert "SECRET" not in "".join(traceback.format_exception(error))


def test_an_invalid_header_is_reported_and_not_shown(send):
    def fail(_request):
        raise httpx.LocalProtocolError("Illegal header value b'SECRET'")

    error = send(build_auth(URL, None, "mine", None), GetRecord("one"), fail)
    assert isinstance(error, InvalidRequest)
    assert "SECRET" not in "".join(traceback.format_exception(error))


class Tokens:
    """Returns a new token for each call, slowly."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        time.sleep(0.02)
        self.count += 1
        return f"token-{self.count}"


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_concurrent_requests_renew_a_token_once(kind):
    tokens, rejected = Tokens(), set()

    def handler(request):
        if request.headers["authorization"] == "Bearer token-1":
            rejected.add(request)
            time.sleep(0.02)
            return httpx.Response(401)
        return httpx.Response(200, json={"inferences": [], "missing": []})

    ids = [f"inference-{number}" for number in range(1000)]
    auth, transport = BearerToken(tokens), httpx.MockTransport(handler)
    if kind == "blocking":
        api = sync_driver.HttpBackend(Api(URL), httpx.Client(auth=auth, transport=transport))
        Client.with_driver(sync_driver.Driver(api, httpx.Client())).batch_get(ids)
    else:
        http = httpx.AsyncClient(auth=auth, transport=transport)
        driver = async_driver.Driver(async_driver.HttpBackend(Api(URL), http), httpx.AsyncClient())
        asyncio.run(AsyncClient.with_driver(driver).batch_get(ids))
    assert len(rejected) > 1
    assert tokens.count == 2


def test_an_ssl_context_is_returned_unchanged():
    context = ssl.create_default_context()
    assert tls_context(context) is context


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE", None])
def test_unreadable_certificates_are_reported(variable, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    missing = str(tmp_path / "missing.pem")
    if variable:
        monkeypatch.setenv(variable, missing)
    with pytest.raises(InvalidRequest, match=r"verify: .*missing\.pem"):
        tls_context(None if variable else missing)


def test_a_directory_of_certificates_is_accepted(tmp_path):
    assert tls_context(tmp_path).verify_mode is ssl.CERT_REQUIRED
