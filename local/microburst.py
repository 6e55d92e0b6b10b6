"""microburst: a proxy in front of the embedded AWS that injects delays and errors."""

import os
import socket
from typing import Any, Final

import boto3
import httpx
from botocore.config import Config

from local.environment import ROOT, LocalFolder, host_environment
from local.processes import Processes

_COMMAND: Final = ROOT / ".venv-microburst" / "bin" / "microburst"

_READ_OPERATIONS: Final = {
    "s3": "list_buckets",
    "dynamodb": "list_tables",
    "sqs": "list_queues",
    "events": "list_event_buses",
}
"""A read-only operation for each service that the functions call."""


class Microburst:
    """A microburst process, which stops with the local system of the folder."""

    def __init__(self, folder: LocalFolder) -> None:
        self._folder = folder
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """Variables that send a function's calls through the proxy, with unchanged signatures."""
        return {
            "AWS_ENDPOINT_URL": _plain_http(),
            "HTTP_PROXY": self.url,
            "NO_PROXY": "",
            "no_proxy": "",
        }

    def start(self) -> None:
        """Raises StartError."""
        upstream = f"https://127.0.0.1:{self._folder.ports()['aws']}"
        Processes(self._folder.path).start(
            "microburst",
            [str(_COMMAND), "--upstream", upstream, "--port", str(self.port)],
            env=host_environment() | {"SSL_CERT_FILE": str(self._folder.ca_bundle)},
            is_up=self._healthy,
        )
        # Its first response for each service takes seconds, because it loads the service's model.
        config = Config(proxies={"http": self.url}, read_timeout=60)
        for service, operation in _READ_OPERATIONS.items():
            client: Any = boto3.client(service, config=config, endpoint_url=_plain_http())  # type: ignore[call-overload]
            getattr(client, operation)()

    def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call microburst's control API."""
        url = f"{self.url}/_microburst/{path}"
        return httpx.request(method, url, trust_env=False, **options).raise_for_status()

    def _healthy(self) -> bool:
        try:
            return self.control("GET", "health").is_success
        except httpx.HTTPError:
            return False


def _plain_http() -> str:
    """Return the embedded AWS's URL for clients that use a proxy."""
    return os.environ["AWS_ENDPOINT_URL"].replace("https:", "http:")
