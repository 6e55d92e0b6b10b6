"""microburst in front of the embedded AWS: counts calls and adds AWS's latencies."""

import re
from collections import Counter
from typing import Any, Final

from benchmarks.assumptions import DYNAMODB_MS, S3_MS
from local.environment import LocalFolder
from local.microburst import Microburst

LATENCY_MS: Final = {"s3": S3_MS, "dynamodb": DYNAMODB_MS}
"""Added to each call. Other services get DynamoDB's latency, because only rules are counted."""

_ENTRIES: Final = {
    ("events", "PutEvents"): ("Entries", 10),
}
"""Calls that AWS charges per entry: the request's member, and the maximum number of entries."""

_CALLS: Final = re.compile(
    r'microburst_faults_total{service="([^"]*)",operation="([^"]*)",action="[^"]*"} (\d+)'
)


class CountingProxy(Microburst):
    """Counts calls and entries from its start."""

    def __init__(self, folder: LocalFolder) -> None:
        super().__init__(folder)
        self._sizes: dict[int, tuple[str, str, int]] = {}

    def start(self) -> None:
        super().start()
        rules = [
            (service, operation, size, _rule(service, operation, member, size))
            for (service, operation), (member, maximum) in _ENTRIES.items()
            for size in range(1, maximum + 1)
        ]
        others = [{"service": each, "latency": _latency(each)} for each in (*LATENCY_MS, "*")]
        response = self.control("POST", "rules", json=[rule for *_, rule in rules] + others)
        for created, (service, operation, size, _) in zip(response.json(), rules, strict=False):
            self._sizes[created["id"]] = (service, operation, size)

    def calls(self) -> Counter[tuple[str, str]]:
        """Return the number of calls by service and operation."""
        text = self.control("GET", "metrics").text
        calls: Counter[tuple[str, str]] = Counter()
        for service, operation, number in _CALLS.findall(text):
            calls[service, operation] += int(number)
        return calls

    def entries(self) -> Counter[tuple[str, str]]:
        """Return the number of entries in the calls charged per entry, by service and operation."""
        entries: Counter[tuple[str, str]] = Counter()
        for rule in self.control("GET", "stats").json()["by_rule"]:
            if rule["id"] in self._sizes:
                service, operation, size = self._sizes[rule["id"]]
                entries[service, operation] += size * rule["fired"]
        return entries


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
