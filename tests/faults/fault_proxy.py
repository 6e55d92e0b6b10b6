"""microburst in front of the embedded AWS: faults, and how many of them were injected."""

import os
import socket
from collections import Counter

import boto3
import httpx
from botocore.config import Config

from local.environment import ROOT, host_environment
from local.processes import Processes

COMMAND = ROOT / ".venv-microburst" / "bin" / "microburst"

_THROTTLED = {
    "s3": {"code": "SlowDown", "status": 503},
    "dynamodb": {"code": "ProvisionedThroughputExceededException", "status": 400},
    "sqs": {"code": "RequestThrottled", "status": 403},
}
_BROKEN = {"s3": "InternalError", "dynamodb": "InternalServerError", "sqs": "InternalFailure"}

_QUESTIONS = {
    "s3": "list_buckets",
    "dynamodb": "list_tables",
    "sqs": "list_queues",
    "events": "list_event_buses",
}
"""Of the services that functions call, one that changes nothing."""

KINDS = ("throttling", "500", "503", "latency", "reset", "truncated", "cut off", "time-out")


def faults_of(service):
    """The rules of a service by kind.

    `sequence: [1, n]`: one call gets the fault, the next n pass, and so on. Rules are asked in this
    order; a call that one lets pass reaches the next.
    """
    rare = service == "sqs"  # only poison is sent anywhere
    return {
        "throttling": {"error": _THROTTLED[service], "sequence": [1, 4]},  # 20 % of all calls
        "500": {"error": {"code": _BROKEN[service], "status": 500}, "sequence": [1, 29]},
        "503": {"error": {"code": "ServiceUnavailable", "status": 503}, "sequence": [1, 29]},
        "latency": {"latency": {"min": 200, "max": 600}, "sequence": [1, 59]},
        "reset": {"reset": True, "sequence": [1, 39]},
        # Half of the body as if it were all: the answer itself does not tell that it is short.
        "truncated": {"response": {"truncate_frac": 0.5}, "sequence": [1, 39]},
        # Half of the body, then the connection ends before the length that was announced.
        "cut off": {"response": {"abort_frac": 0.5}, "sequence": [1, 39]},
        # Longer than a function waits for an answer.
        "time-out": {"timeout_ms": 3000, "sequence": [1, 19 if rare else 249]},
    }


class FaultProxy:
    """The process of microburst; it ends with the local system of the folder."""

    def __init__(self, folder):
        self._folder = folder
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._names = {}
        self._before = Counter()

    def start(self):
        upstream = f"https://127.0.0.1:{self._folder.ports()['aws']}"
        Processes(self._folder.path).start(
            "microburst",
            [str(COMMAND), "--upstream", upstream, "--port", str(self.port)],
            env=host_environment() | {"SSL_CERT_FILE": str(self._folder.ca_bundle)},
            is_up=self._healthy,
        )
        # Before its first answer it reads what services AWS has, for seconds.
        for service, ask in _QUESTIONS.items():
            config = Config(proxies={"http": self.url}, read_timeout=60)
            endpoint = os.environ["AWS_ENDPOINT_URL"].replace("https:", "http:")
            getattr(boto3.client(service, config=config, endpoint_url=endpoint), ask)()

    def _healthy(self):
        try:
            return self._control("GET", "health").is_success
        except httpx.TransportError:
            return False

    def _control(self, method, path, **options):
        url = f"{self.url}/_microburst/{path}"
        return httpx.request(method, url, trust_env=False, **options)

    def inject(self):
        """Faults from now on, for S3, DynamoDB and SQS."""
        self._before = self._requests()
        rules = {
            (service, kind): {"service": service, **rule}
            for service in _THROTTLED
            for kind, rule in faults_of(service).items()
        }
        answer = self._control("POST", "rules", json=list(rules.values())).raise_for_status()
        self._names = {rule["id"]: name for rule, name in zip(answer.json(), rules, strict=True)}

    def stop_injecting(self):
        self._control("POST", "rules", json=[]).raise_for_status()

    def fired(self):
        """How often, by service and kind. From the totals: the log keeps 2,000 events only."""
        found = self._stats()["by_rule"]
        return Counter({self._names[each["id"]]: each["fired"] for each in found})

    def requests(self):
        """How many calls went through since faults are injected, by service."""
        return self._requests() - self._before

    def _requests(self):
        return Counter({it["service"]: it["requests"] for it in self._stats()["by_service"]})

    def _stats(self):
        return self._control("GET", "stats").raise_for_status().json()
