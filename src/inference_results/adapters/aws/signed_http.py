"""One endpoint of AWS by plain HTTP, with requests signed by SigV4.

The algorithm is AWS's, "Create a signed AWS API request"; a test holds it against botocore's.
"""

import hashlib
import hmac
import os
import socket
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from botocore.endpoint_provider import RuleSetStandardLibrary
from botocore.httpsession import ProxyConfiguration, create_urllib3_context, get_cert_path
from botocore.loaders import create_loader
from botocore.utils import get_environ_proxies
from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError

from inference_results.adapters.aws.calls import CONNECT_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse  # the Lambda runtime may have a urllib3 before 2

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class SignedHttp:
    """Calls a service of the function's region, as the role of the function.

    Credentials are read once: the runtime hands them to a process for as long as it lives.
    """

    def __init__(self, service: str, connections: int) -> None:
        self._service = service
        self._region = os.environ["AWS_REGION"]
        self._key_id = os.environ["AWS_ACCESS_KEY_ID"]
        self._secret = os.environ["AWS_SECRET_ACCESS_KEY"]
        self._token = os.environ.get("AWS_SESSION_TOKEN")
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL") or _endpoint(service, self._region)
        parts = urlsplit(self.endpoint)
        self._host = parts.netloc
        proxies = ProxyConfiguration(get_environ_proxies(self.endpoint))
        proxy = proxies.proxy_url_for(self.endpoint)
        # A proxy for plain HTTP is told the whole URL.
        self._before_path = self.endpoint if proxy and parts.scheme == "http" else ""
        options: dict[str, Any] = {
            "maxsize": connections,
            # urllib3's own, but for proxies: a body would wait there for its headers' receipt.
            "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            "timeout": Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        }
        if parts.scheme == "https":
            options["ssl_context"] = _trusting(os.environ.get("AWS_CA_BUNDLE"))
            options["cert_reqs"] = "CERT_REQUIRED"
        if proxy:
            headers = proxies.proxy_headers_for(proxy)
            manager: PoolManager = ProxyManager(proxy, proxy_headers=headers, **options)
        else:
            manager = PoolManager(**options)
        # Not the manager's own requests: they take `..` out of paths, and keys may have it.
        self._pool = manager.connection_from_url(self.endpoint)

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> "BaseHTTPResponse | None":
        """The answer whatever its status, with its whole body; None if none came, or a part of one.

        `path` is percent-encoded; the names of `headers` are in lower case.
        """
        signed = self._signed(method, path, headers, body)
        try:
            return self._pool.urlopen(
                method,
                self._before_path + path,
                body or None,
                signed,
                retries=False,
                assert_same_host=False,  # a proxy is another host
                enforce_content_length=True,  # urllib3 before 2 lets bodies break off
                decode_content=False,  # an object is what is stored, compressed or not
            )
        except HTTPError:
            return None

    def _signed(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = hashlib.sha256(body).hexdigest()
        signed = {**headers, "host": self._host, "x-amz-content-sha256": digest, "x-amz-date": now}
        if self._token:
            signed["x-amz-security-token"] = self._token
        names = sorted(signed)
        listed = ";".join(names)
        canonical = (method, path, "", *(f"{name}:{signed[name]}" for name in names), "", listed)
        hashed = hashlib.sha256("\n".join((*canonical, digest)).encode()).hexdigest()
        scope = f"{now[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{_ALGORITHM}\n{now}\n{scope}\n{hashed}"
        signature = hmac.digest(_key(self._secret, scope), to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={self._key_id}/{scope}, "
            f"SignedHeaders={listed}, Signature={signature}"
        )
        return signed


@cache
def _trusting(ca_bundle: str | None) -> SSLContext:
    """Made once: to read all authorities takes as long as twenty calls, for each connection."""
    context: SSLContext = create_urllib3_context()
    context.load_verify_locations(ca_bundle or get_cert_path(True))
    return context


@lru_cache(maxsize=4)
def _key(secret: str, scope: str) -> bytes:
    """For a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _endpoint(service: str, region: str) -> str:
    """In the domain of the region's partition."""
    partitions = RuleSetStandardLibrary(create_loader().load_data("partitions"))
    return f"https://{service}.{region}.{partitions.aws_partition(region)['dnsSuffix']}"
