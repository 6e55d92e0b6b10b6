"""Send HTTP requests to one AWS endpoint, signed with Signature Version 4.

The algorithm is AWS's "Create a signed AWS API request". A test compares it with botocore's signer.
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

from inference_results.adapters.aws.config import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse  # urllib3 1.26, in some Lambda runtimes, lacks it

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class SignedHttp:
    """A service in the function's region, called with the credentials of the function's role.

    Credentials are read once: the Lambda runtime sets them once per process.
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
        # A proxy for plain HTTP expects the whole URL in the request line.
        self._path_prefix = self.endpoint if proxy and parts.scheme == "http" else ""
        options: dict[str, Any] = {
            "maxsize": connections,
            # urllib3 omits TCP_NODELAY for proxies: a body would wait for the ACK of its headers.
            "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            "timeout": Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
        }
        if parts.scheme == "https":
            options["ssl_context"] = _tls_context(os.environ.get("AWS_CA_BUNDLE"))
            options["cert_reqs"] = "CERT_REQUIRED"
        if proxy:
            headers = proxies.proxy_headers_for(proxy)
            manager: PoolManager = ProxyManager(proxy, proxy_headers=headers, **options)
        else:
            manager = PoolManager(**options)
        # The manager's own requests would remove `..` from paths. Keys can contain it.
        self._pool = manager.connection_from_url(self.endpoint)

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> "BaseHTTPResponse | None":
        """Return the response with its whole body, whatever its status. None if it is incomplete.

        `path` must be percent-encoded, and the names of `headers` in lower case.
        """
        signed = self._signed(method, path, headers, body)
        try:
            return self._pool.urlopen(
                method,
                self._path_prefix + path,
                body or None,
                signed,
                retries=False,
                assert_same_host=False,  # a proxy is another host
                enforce_content_length=True,  # by default, urllib3 1.26 accepts a truncated body
                decode_content=False,  # an object is returned as stored, compressed or not
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
        signed_headers = ";".join(names)
        canonical_request = "\n".join(
            (
                method,
                path,
                "",  # the query string
                *(f"{name}:{signed[name]}" for name in names),
                "",
                signed_headers,
                digest,
            )
        )
        request_digest = hashlib.sha256(canonical_request.encode()).hexdigest()
        scope = f"{now[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{_ALGORITHM}\n{now}\n{scope}\n{request_digest}"
        signature = hmac.digest(_signing_key(self._secret, scope), to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={self._key_id}/{scope}, "
            f"SignedHeaders={signed_headers}, Signature={signature}"
        )
        return signed


@cache
def _tls_context(ca_bundle: str | None) -> SSLContext:
    """Create the context once: loading the CA certificates takes as long as twenty calls."""
    context: SSLContext = create_urllib3_context()
    context.load_verify_locations(ca_bundle or get_cert_path(True))
    return context


@lru_cache(maxsize=4)
def _signing_key(secret: str, scope: str) -> bytes:
    """Derive the key for a scope: a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _endpoint(service: str, region: str) -> str:
    """Build the regional URL, with the domain of the region's partition."""
    partitions = RuleSetStandardLibrary(create_loader().load_data("partitions"))
    return f"https://{service}.{region}.{partitions.aws_partition(region)['dnsSuffix']}"
