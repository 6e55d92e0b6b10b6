"""microburst in front of the embedded AWS: counts the calls of functions, and answers as late as
AWS would."""

import os
import re
import socket
from collections import Counter
from typing import Any, Final

import boto3
import httpx
from botocore.config import Config

from local.environment import ROOT, LocalFolder, host_environment
from local.processes import Processes

_COMMAND: Final = ROOT / ".venv-microburst" / "bin" / "microburst"

LATENCY_MS: Final = {"s3": 25, "dynamodb": 8}
"""Added to each call. Other services get the latency of DynamoDB: it is a rule that counts."""

_ENTRIES: Final = {
    ("events", "PutEvents"): ("Entries", 10),
}
"""Calls that AWS charges by what is in them: the member, and how many there may be of it."""

_QUESTIONS: Final = {
    "s3": "list_buckets",
    "dynamodb": "list_tables",
    "sqs": "list_queues",
    "events": "list_event_buses",
}
"""Of the services that functions call, one that changes nothing."""

_COUNTED: Final = re.compile(
    r'microburst_faults_total{service="([^"]*)",operation="([^"]*)",action="[^"]*"} (\d+)'
)


class CountingProxy:
    """The process of microburst; it ends with the local system of the folder."""

    def __init__(self, folder: LocalFolder) -> None:
        self._folder = folder
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._sizes: dict[int, tuple[str, str, int]] = {}

    def start(self) -> None:
        Processes(self._folder.path).start(
            "microburst",
            [
                str(_COMMAND),
                "--upstream",
                f"https://127.0.0.1:{self._folder.ports()['aws']}",
                "--port",
                str(self._port),
            ],
            env=host_environment() | {"SSL_CERT_FILE": str(self._folder.ca_bundle)},
            is_up=self._healthy,
        )
        # Before its first answer for a service it reads that one's model, for seconds.
        config = Config(proxies={"http": self.url}, read_timeout=60)
        for service, ask in _QUESTIONS.items():
            client: Any = boto3.client(service, config=config, endpoint_url=plain_http())  # type: ignore[call-overload]
            getattr(client, ask)()
        rules = [
            (service, operation, size, _rule(service, operation, member, size))
            for (service, operation), (member, most) in _ENTRIES.items()
            for size in range(1, most + 1)
        ]
        others = [{"service": each, "latency": _latency(each)} for each in (*LATENCY_MS, "*")]
        posted = self._control("POST", "rules", json=[rule for *_, rule in rules] + others)
        for told, (service, operation, size, _) in zip(posted.json(), rules, strict=False):
            self._sizes[told["id"]] = (service, operation, size)

    def calls(self) -> Counter[tuple[str, str]]:
        """By service and operation, since it was started."""
        text = self._control("GET", "metrics").text
        calls: Counter[tuple[str, str]] = Counter()
        for service, operation, times in _COUNTED.findall(text):
            calls[service, operation] += int(times)
        return calls

    def entries(self) -> Counter[tuple[str, str]]:
        """What was in calls that AWS charges by that, by service and operation."""
        entries: Counter[tuple[str, str]] = Counter()
        for rule in self._control("GET", "stats").json()["by_rule"]:
            if rule["id"] in self._sizes:
                service, operation, size = self._sizes[rule["id"]]
                entries[service, operation] += size * rule["fired"]
        return entries

    def _healthy(self) -> bool:
        try:
            return self._control("GET", "health").is_success
        except httpx.TransportError:
            return False

    def _control(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = f"{self.url}/_microburst/{path}"
        return httpx.request(method, url, trust_env=False, **options).raise_for_status()


def plain_http() -> str:
    """The embedded AWS as clients name it that come by the proxy."""
    return os.environ["AWS_ENDPOINT_URL"].replace("https:", "http:")


def _rule(service: str, operation: str, member: str, size: int) -> dict[str, Any]:
    return {
        "service": service,
        "operation": operation,
        "body": f"length({member}) == `{size}`",
        "latency": _latency(service),
    }


def _latency(service: str) -> dict[str, int]:
    milliseconds = LATENCY_MS.get(service, LATENCY_MS["dynamodb"])
    return {"min": milliseconds, "max": milliseconds}
