"""microburst: a proxy before the embedded AWS, which answers late, or in its stead."""

import os
import socket
from typing import Any, Final

import boto3
import httpx
from botocore.config import Config

from local.environment import ROOT, LocalFolder, host_environment
from local.processes import Processes

_COMMAND: Final = ROOT / ".venv-microburst" / "bin" / "microburst"

_QUESTIONS: Final = {
    "s3": "list_buckets",
    "dynamodb": "list_tables",
    "sqs": "list_queues",
    "events": "list_event_buses",
}
"""Of the services that functions call, one that changes nothing."""


class Microburst:
    """Its process, which ends with the local system of the folder."""

    def __init__(self, folder: LocalFolder) -> None:
        self._folder = folder
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """Of a function that is to go through it: as HTTP proxy, so that what is signed stays."""
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
        # Before its first answer for a service it reads that one's model, for seconds.
        config = Config(proxies={"http": self.url}, read_timeout=60)
        for service, ask in _QUESTIONS.items():
            client: Any = boto3.client(service, config=config, endpoint_url=_plain_http())  # type: ignore[call-overload]
            getattr(client, ask)()

    def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Its own API."""
        url = f"{self.url}/_microburst/{path}"
        return httpx.request(method, url, trust_env=False, **options).raise_for_status()

    def _healthy(self) -> bool:
        try:
            return self.control("GET", "health").is_success
        except httpx.HTTPError:
            return False


def _plain_http() -> str:
    """The embedded AWS as clients name it that come by a proxy."""
    return os.environ["AWS_ENDPOINT_URL"].replace("https:", "http:")
