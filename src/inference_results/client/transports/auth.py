"""How a request says who asks: a signature of AWS (SigV4), a bearer token, a presigned URL."""

import asyncio
import os
import re
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from http import HTTPStatus
from pathlib import Path
from typing import Final

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
)

from inference_results.client.errors import InvalidRequest, NotAuthorized, ServiceUnavailable
from inference_results.domain.record.errors import InferenceResultsError

CONNECTIONS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20)
"""Any number: a wait holds its connection for as long as the service holds the question open."""

ACCESS_DENIED_CODES: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes with which AWS says that who asks may not, or is not known."""

SERVICE: Final = "execute-api"
_API_HOST: Final = re.compile(rf"[a-z0-9-]+\.{SERVICE}\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


class Signature(httpx.Auth):
    """Signs each request with the credentials that the session has at that moment.

    The URL is signed as it is sent. Raises NotAuthorized if there are no credentials.
    """

    def __init__(self, session: boto3.Session, region: str) -> None:
        self._session = session
        self._region = region
        self._found: Credentials | None = None
        self._finding = threading.Lock()

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        self._sign(request, self._credentials())
        yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        # Temporary credentials are renewed by a call of their own, which blocks.
        self._sign(request, await asyncio.to_thread(self._credentials))
        yield request

    def _credentials(self) -> ReadOnlyCredentials:
        try:
            with self._finding:
                if self._found is None:
                    self._found = self._session.get_credentials()
                if self._found is None:
                    raise NotAuthorized("no AWS credentials were found")
                return self._found.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise credentials_error(error) from error

    def _sign(self, request: httpx.Request, credentials: ReadOnlyCredentials) -> None:
        signed = AWSRequest(request.method, str(request.url), data=request.content)
        SigV4Auth(credentials, SERVICE, self._region).add_auth(signed)
        request.headers.update(signed.headers.items())


class BearerToken(httpx.Auth):
    """Sends a token. A callable is asked for it once, and anew when the API refuses it.

    Raises InvalidRequest for a token that no header can hold.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._source = token
        self._token: str | None = None
        self._asking = threading.Lock()

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._other_than(None)
        response = yield self._bearing(request, token)
        if self._is_renewable(response):
            yield self._bearing(request, self._other_than(token))

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = self._token
        if token is None:
            token = await asyncio.to_thread(self._other_than, None)
        response = yield self._bearing(request, token)
        if self._is_renewable(response):
            yield self._bearing(request, await asyncio.to_thread(self._other_than, token))

    def _other_than(self, refused: str | None) -> str:
        """The token, asked for unless somebody else has done so since that one was refused."""
        with self._asking:
            if self._token is None or self._token == refused:
                self._token = self._ask()
            return self._token

    def _ask(self) -> str:
        token = (self._source if isinstance(self._source, str) else self._source()).strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise InvalidRequest("expected printable ASCII without spaces", "token")
        return token

    def _is_renewable(self, response: httpx.Response) -> bool:
        refused = response.status_code == HTTPStatus.UNAUTHORIZED
        return refused and not isinstance(self._source, str)

    @staticmethod
    def _bearing(request: httpx.Request, token: str) -> httpx.Request:
        request.headers["authorization"] = f"Bearer {token}"
        return request


class PresignedUrl(httpx.Auth):
    """The query of the URL lets one in: it stays out of what httpx logs of each request."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.url = _WithoutQueryInText(request.url)
        yield request


class _WithoutQueryInText(httpx.URL):
    def __str__(self) -> str:
        return str(self.copy_with(query=None))


def authentication(
    url: str,
    session: boto3.Session | None,
    token: str | Callable[[], str] | None,
    region: str | None,
) -> httpx.Auth:
    """A bearer token if one is given, else a signature.

    Raises InvalidRequest if there is no region: given, in the URL, or in the session; NotAuthorized
    if there is no such profile.
    """
    if token is not None:
        return BearerToken(token)
    try:
        session = session or boto3.Session()
    except BotoCoreError as error:
        raise credentials_error(error) from error
    found = region or _region_in(url) or session.region_name
    if not found:
        raise InvalidRequest("expected, as neither the URL nor the session has one", "region")
    return Signature(session, found)


def credentials_error(error: BotoCoreError | ClientError) -> InferenceResultsError:
    """What it means that boto3 cannot tell who asks."""
    told: InferenceResultsError
    detail = f"AWS credentials cannot be had: {type(error).__name__}"
    if isinstance(error, EndpointConnectionError | HTTPClientError):
        told = ServiceUnavailable(detail)
    else:
        told = NotAuthorized(detail)
    told.__cause__ = error
    return told


def _region_in(url: str) -> str | None:
    found = _API_HOST.fullmatch(httpx.URL(url).host)
    return found[1] if found else None


def tls_context(verify: ssl.SSLContext | str | Path | None) -> ssl.SSLContext:
    """Which servers are trusted: a context, or a file or folder of certificates.

    By default AWS_CA_BUNDLE, then SSL_CERT_FILE, then what httpx trusts.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    path = verify or os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if not path:
        return httpx.create_ssl_context()
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # of which ssl.SSLError is one
        raise InvalidRequest(f"expected certificates, found none in {path}", "verify") from error
