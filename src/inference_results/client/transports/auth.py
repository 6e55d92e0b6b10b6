"""Authenticate requests: SigV4 signatures, bearer tokens, presigned URLs and TLS."""

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

CONNECTION_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20)
"""No limit, because each wait holds a connection until the service responds."""

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
"""AWS's error codes for missing permissions and invalid credentials."""

SERVICE: Final = "execute-api"
_API_HOST: Final = re.compile(rf"[a-z0-9-]+\.{SERVICE}\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


class Signature(httpx.Auth):
    """Sign each request (SigV4) with the session's current credentials.

    Raises NotAuthorized if there are no credentials.
    """

    def __init__(self, session: boto3.Session, region: str) -> None:
        self._session = session
        self._region = region
        self._credentials: Credentials | None = None
        self._lock = threading.Lock()

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        self._sign(request, self._current_credentials())
        yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        # Refreshing temporary credentials blocks.
        self._sign(request, await asyncio.to_thread(self._current_credentials))
        yield request

    def _current_credentials(self) -> ReadOnlyCredentials:
        try:
            with self._lock:
                if self._credentials is None:
                    self._credentials = self._session.get_credentials()
                if self._credentials is None:
                    raise NotAuthorized(
                        "no AWS credentials found: configure a profile, or pass a session or token"
                    )
                return self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise credentials_error(error) from error

    def _sign(self, request: httpx.Request, credentials: ReadOnlyCredentials) -> None:
        # Sign the URL exactly as it is sent.
        signed = AWSRequest(request.method, str(request.url), data=request.content)
        SigV4Auth(credentials, SERVICE, self._region).add_auth(signed)
        request.headers.update(signed.headers.items())


class BearerToken(httpx.Auth):
    """Send a bearer token.

    A callable is called before the first request, and again when the API rejects its token.
    Raises InvalidRequest for a token that cannot be sent in a header.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._source = token
        self._token: str | None = None
        self._lock = threading.Lock()

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._get_token()
        response = yield self._add_token(request, token)
        if self._can_renew(response):
            yield self._add_token(request, self._get_token(rejected=token))

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = self._token
        if token is None:
            token = await asyncio.to_thread(self._get_token)
        response = yield self._add_token(request, token)
        if self._can_renew(response):
            renewed = await asyncio.to_thread(self._get_token, rejected=token)
            yield self._add_token(request, renewed)

    def _get_token(self, rejected: str | None = None) -> str:
        """Return the cached token, unless it is the rejected one.

        If the API rejects a token for several concurrent requests, only one of them renews it.
        """
        with self._lock:
            if self._token is None or self._token == rejected:
                self._token = self._load_token()
            return self._token

    def _load_token(self) -> str:
        token = (self._source if isinstance(self._source, str) else self._source()).strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise InvalidRequest("expected printable ASCII without spaces", "token")
        return token

    def _can_renew(self, response: httpx.Response) -> bool:
        rejected = response.status_code == HTTPStatus.UNAUTHORIZED
        return rejected and not isinstance(self._source, str)

    @staticmethod
    def _add_token(request: httpx.Request, token: str) -> httpx.Request:
        request.headers["authorization"] = f"Bearer {token}"
        return request


class PresignedUrl(httpx.Auth):
    """Keep the query string of a presigned URL, which grants access, out of httpx's log."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.url = _UrlWithHiddenQuery(request.url)
        yield request


class _UrlWithHiddenQuery(httpx.URL):
    def __str__(self) -> str:
        return str(self.copy_with(query=None))


def build_auth(
    url: str,
    session: boto3.Session | None,
    token: str | Callable[[], str] | None,
    region: str | None,
) -> httpx.Auth:
    """Return a bearer token if one is given, else a signature.

    The region comes from the argument, the URL or the session, in this order. Raises InvalidRequest
    without a region, and NotAuthorized if the profile of the environment does not exist.
    """
    if token is not None:
        return BearerToken(token)
    try:
        session = session or boto3.Session()
    except BotoCoreError as error:
        raise credentials_error(error) from error
    region = region or _region_in(url) or session.region_name
    if not region:
        raise InvalidRequest(
            "expected a region, because neither the URL nor the session has one", "region"
        )
    return Signature(session, region)


def credentials_error(error: BotoCoreError | ClientError) -> InferenceResultsError:
    """Return the client error for an error of boto3 while it loads credentials."""
    detail = f"cannot get AWS credentials: {type(error).__name__}"
    translated: InferenceResultsError
    if isinstance(error, EndpointConnectionError | HTTPClientError):
        translated = ServiceUnavailable(detail)
    else:
        translated = NotAuthorized(detail)
    translated.__cause__ = error
    return translated


def _region_in(url: str) -> str | None:
    found = _API_HOST.fullmatch(httpx.URL(url).host)
    return found[1] if found else None


def tls_context(verify: ssl.SSLContext | str | Path | None) -> ssl.SSLContext:
    """Return an SSL context that trusts a file or directory of CA certificates.

    A context is returned as it is. The default is AWS_CA_BUNDLE, then SSL_CERT_FILE, then httpx's
    own certificates.
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
    except OSError as error:  # ssl.SSLError is an OSError.
        raise InvalidRequest(f"expected CA certificates in {path}", "verify") from error
