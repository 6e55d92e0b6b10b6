"""microburst in front of the embedded AWS: faults, and how many of them were injected."""

from collections import Counter

from local.microburst import Microburst

_THROTTLED = {
    "s3": {"code": "SlowDown", "status": 503},
    "dynamodb": {"code": "ProvisionedThroughputExceededException", "status": 400},
    "sqs": {"code": "RequestThrottled", "status": 403},
}
_BROKEN = {"s3": "InternalError", "dynamodb": "InternalServerError", "sqs": "InternalFailure"}

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


class FaultProxy(Microburst):
    """Lets everything pass until faults are injected."""

    def __init__(self, folder):
        super().__init__(folder)
        self._names = {}
        self._before = Counter()

    def inject(self):
        """Faults from now on, for S3, DynamoDB and SQS."""
        self._before = self._requests()
        rules = {
            (service, kind): {"service": service, **rule}
            for service in _THROTTLED
            for kind, rule in faults_of(service).items()
        }
        answer = self.control("POST", "rules", json=list(rules.values()))
        self._names = {rule["id"]: name for rule, name in zip(answer.json(), rules, strict=True)}

    def stop_injecting(self):
        self.control("POST", "rules", json=[])

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
        return self.control("GET", "stats").json()
