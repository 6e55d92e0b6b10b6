"""microburst in front of the embedded AWS: counts calls and adds AWS's latencies."""

import re
from collections import Counter
from typing import Final

from benchmarks.assumptions import DYNAMODB_MS, S3_MS
from local.microburst import Microburst

_LATENCY_MS: Final = {"s3": S3_MS, "*": DYNAMODB_MS}
"""Added to each call. All other services get DynamoDB's, because only rules are counted."""

_CALLS: Final = re.compile(
    r'microburst_faults_total{service="([^"]*)",operation="([^"]*)",action="[^"]*"} (\d+)'
)


class CountingProxy(Microburst):
    """Counts calls from its start."""

    def start(self) -> None:
        super().start()
        rules = [
            {"service": service, "latency": {"min": milliseconds, "max": milliseconds}}
            for service, milliseconds in _LATENCY_MS.items()
        ]
        self.control("POST", "rules", json=rules)

    def calls(self) -> Counter[tuple[str, str]]:
        """Return the number of calls by service and operation."""
        text = self.control("GET", "metrics").text
        calls: Counter[tuple[str, str]] = Counter()
        for service, operation, number in _CALLS.findall(text):
            calls[service, operation] += int(number)
        return calls
