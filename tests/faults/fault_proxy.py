"""microburst in front of the embedded AWS, which injects and counts faults."""

from collections import Counter

from local.microburst import Microburst

_THROTTLED = {
    "s3": {"code": "SlowDown", "status": 503},
    "dynamodb": {"code": "ProvisionedThroughputExceededException", "status": 400},
    "sqs": {"code": "RequestThrottled", "status": 403},
}
_BROKEN = {"s3": "InternalError", "dynamodb": "InternalServerError", "sqs": "InternalFailure"}

KINDS = ("throttling", "500", "503", "latency", "reset", "truncated", "cut off", "timeout")


def faults_of(service):
    """Return the fault rules of a service by kind.

    `sequence: [1, n]`: one call gets the fault, the next n pass, and so on. microburst applies the
    rules in this order, and a call that passes one rule reaches the next.
    """
    few_calls = service == "sqs"  # the functions send only malformed messages
    return {
        "throttling": {"error": _THROTTLED[service], "sequence": [1, 4]},  # 20 % of the calls
        "500": {"error": {"code": _BROKEN[service], "status": 500}, "sequence": [1, 29]},
        "503": {"error": {"code": "ServiceUnavailable", "status": 503}, "sequence": [1, 29]},
        "latency": {"latency": {"min": 200, "max": 600}, "sequence": [1, 59]},
        "reset": {"reset": True, "sequence": [1, 39]},
        # Half of the body, with a matching length: the response looks complete.
        "truncated": {"response": {"truncate_frac": 0.5}, "sequence": [1, 39]},
        # Half of the body, then the connection closes before the announced length.
        "cut off": {"response": {"abort_frac": 0.5}, "sequence": [1, 39]},
        # Longer than a function's read timeout.
        "timeout": {"timeout_ms": 3000, "sequence": [1, 19 if few_calls else 249]},
    }


class FaultProxy(Microburst):
    """A proxy that passes all calls until `inject`."""

    def __init__(self, folder):
        super().__init__(folder)
        self._names = {}
        self._before = Counter()

    def inject(self):
        """Start injecting faults into calls of S3, DynamoDB and SQS."""
        self._before = self._requests()
        rules = {
            (service, kind): {"service": service, **rule}
            for service in _THROTTLED
            for kind, rule in faults_of(service).items()
        }
        response = self.control("POST", "rules", json=list(rules.values()))
        self._names = {rule["id"]: name for rule, name in zip(response.json(), rules, strict=True)}

    def stop_injecting(self):
        self.control("POST", "rules", json=[])

    def fired(self):
        """Return the number of faults by service and kind.

        Uses the totals, because the log only keeps 2,000 events.
        """
        rules = self._stats()["by_rule"]
        return Counter({self._names[each["id"]]: each["fired"] for each in rules})

    def requests(self):
        """Return the number of calls since `inject` by service."""
        return self._requests() - self._before

    def _requests(self):
        return Counter({each["service"]: each["requests"] for each in self._stats()["by_service"]})

    def _stats(self):
        return self.control("GET", "stats").json()
