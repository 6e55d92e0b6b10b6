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
    authentication,
    tls_context,
)
from inference_results.client.transports.http_api import Api

SECRET = "a secret"
URL = "https://gateway.test:8443/stage"


@pytest.fixture
def session():
    return boto3.Session("an-id", SECRET, "a-session-token", region_name="eu-west-1")


def ask_blocking(auth, question, handler):
    with httpx.Client(auth=auth, transport=httpx.MockTransport(handler)) as http:
        return sync_driver.HttpBackend(Api(URL), http).reply(question)


def ask_in_loop(auth, question, handler):
    async def ask():
        transport = httpx.MockTransport(handler)
        async with httpx.AsyncClient(auth=auth, transport=transport) as http:
            return await async_driver.HttpBackend(Api(URL), http).reply(question)

    return asyncio.run(ask())


@pytest.fixture(params=[ask_blocking, ask_in_loop])
def ask(request):
    return request.param


def accepts(request):
    """Verify a signature as AWS describes it, from nothing but what was sent."""
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
    "question",
    [
        GetRecord("one", "speech", 20.0),
        GetRecord("a b/c?d=e&f#g%h+i~'()*!:@"),
        GetRecords(("one", "two"), None, 1.0),
        Register("a b/c?d=e&f#g%h+i~'()*!:@", {"endpoint": "speech"}),
        Submit({"endpoint": "speech"}, "Grüße".encode()),
    ],
)
def test_what_is_sent_is_what_is_signed(ask, session, question):
    verdicts = []

    def handler(request):
        verdicts.append(accepts(request))
        return httpx.Response(200, json={})

    ask(authentication(URL, session, None, None), question, handler)
    assert verdicts == [True]


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
def test_the_region_is_that_given_or_of_the_url_or_of_the_session(ask, session, url, given, region):
    scopes = []

    def handler(request):
        scopes.append(request.headers["authorization"])
        return httpx.Response(200, json={})

    ask(authentication(url, session, None, given), GetRecord("one"), handler)
    assert f"/{region}/execute-api/" in scopes[0]


def without_region(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("PROFILE", "REGION", "DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)


def test_without_a_region_nothing_is_signed(monkeypatch, tmp_path):
    without_region(monkeypatch, tmp_path)
    with pytest.raises(InvalidRequest, match="region"):
        Client("https://results.example.com")


def test_without_credentials_nothing_is_asked(ask, monkeypatch, tmp_path):
    without_region(monkeypatch, tmp_path)
    reply = ask(Signature(boto3.Session(), "eu-west-1"), GetRecord("one"), pytest.fail)
    assert isinstance(reply, NotAuthorized)
    assert "no AWS credentials" in str(reply)


def test_credentials_that_cannot_be_renewed_are_told(ask, session, monkeypatch):
    def refuse():
        raise TokenRetrievalError(provider="sso", error_msg="expired")

    monkeypatch.setattr(session, "get_credentials", refuse)
    reply = ask(Signature(session, "eu-west-1"), GetRecord("one"), pytest.fail)
    assert isinstance(reply, NotAuthorized)
    assert "TokenRetrievalError" in str(reply)


class Gate:
    """Lets one token in."""

    def __init__(self, accepted):
        self.accepted = accepted
        self.shown = []

    def __call__(self, request):
        self.shown.append(request.headers["authorization"])
        accepted = request.headers["authorization"] == f"Bearer {self.accepted}"
        return httpx.Response(200 if accepted else 401, json={"message": "Unauthorized"})


def test_a_token_is_sent_and_not_asked_for_again_while_it_is_accepted(ask):
    gate, asked = Gate("first"), []

    def token():
        asked.append("first")
        return "first\n"

    auth = authentication(URL, None, token, None)
    ask(auth, GetRecord("one"), gate)
    ask(auth, GetRecord("two"), gate)
    assert gate.shown == ["Bearer first"] * 2
    assert asked == ["first"]


def test_a_refused_token_is_asked_for_anew_once(ask):
    gate, tokens = Gate("second"), iter(["first", "second"])
    auth = authentication(URL, None, lambda: next(tokens), None)
    assert ask(auth, GetRecord("one"), gate) == {"message": "Unauthorized"}
    assert gate.shown == ["Bearer first", "Bearer second"]


def test_a_token_that_stays_refused_is_not_sent_for_ever(ask):
    gate = Gate("other")
    assert isinstance(
        ask(authentication(URL, None, lambda: "mine", None), GetRecord("one"), gate), NotAuthorized
    )
    assert gate.shown == ["Bearer mine"] * 2
    assert isinstance(
        ask(authentication(URL, None, "fixed", None), GetRecord("one"), gate), NotAuthorized
    )
    assert gate.shown[2:] == ["Bearer fixed"]


@pytest.mark.parametrize("token", ["", " \n", "SECRET-1\nSECRET-2", "SECRET 2", "SECRET-\xe9"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(ask, token):
    refused = ask(authentication(URL, None, token, None), GetRecord("one"), pytest.fail)
    assert isinstance(refused, InvalidRequest)
    assert refused.parameter == "token"
    assert "SECRET" not in "".join(traceback.format_exception(refused))


def test_a_request_that_cannot_be_sent_is_not_tried_again_and_shows_nothing(ask):
    def cannot(_request):
        raise httpx.LocalProtocolError("Illegal header value b'SECRET'")

    refused = ask(authentication(URL, None, "mine", None), GetRecord("one"), cannot)
    assert isinstance(refused, InvalidRequest)
    assert "SECRET" not in "".join(traceback.format_exception(refused))


class Tokens:
    """Gives another token each time, slowly."""

    def __init__(self):
        self.given = 0

    def __call__(self):
        time.sleep(0.02)
        self.given += 1
        return f"token-{self.given}"


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_a_token_is_asked_for_once_for_questions_side_by_side(kind):
    tokens, refused = Tokens(), set()

    def handler(request):
        if request.headers["authorization"] == "Bearer token-1":
            refused.add(request)
            time.sleep(0.02)
            return httpx.Response(401)
        return httpx.Response(200, json={"inferences": [], "missing": []})

    ids = [f"inference-{number}" for number in range(1000)]
    auth, transport = BearerToken(tokens), httpx.MockTransport(handler)
    if kind == "blocking":
        api = sync_driver.HttpBackend(Api(URL), httpx.Client(auth=auth, transport=transport))
        Client.driven_by(sync_driver.Driver(api, httpx.Client())).batch_get(ids)
    else:
        http = httpx.AsyncClient(auth=auth, transport=transport)
        driver = async_driver.Driver(async_driver.HttpBackend(Api(URL), http), httpx.AsyncClient())
        asyncio.run(AsyncClient.driven_by(driver).batch_get(ids))
    assert len(refused) > 1
    assert tokens.given == 2


def test_a_context_is_taken_as_it_is():
    context = ssl.create_default_context()
    assert tls_context(context) is context


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE", None])
def test_certificates_that_cannot_be_read_are_told(variable, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    missing = str(tmp_path / "missing.pem")
    if variable:
        monkeypatch.setenv(variable, missing)
    with pytest.raises(InvalidRequest, match=r"verify: .*missing\.pem"):
        tls_context(None if variable else missing)


def test_a_folder_of_certificates_is_taken(tmp_path):
    assert tls_context(tmp_path).verify_mode is ssl.CERT_REQUIRED
