"""Amounts that invocations of a function use, including the calls that they make."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.assumptions import MB_PER_CPU
from benchmarks.cost.prices import Item
from benchmarks.cost.usage import Amounts, total

READS: Final = {"GetItem", "Query", "BatchGetItem"}
_WRITES: Final = {"UpdateItem", "PutItem", "DeleteItem"}

_LOG_EVENT_OVERHEAD_BYTES: Final = 26
"""CloudWatch's overhead per log event:
docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""


@dataclass(frozen=True)
class Invocations:
    """Measured usage of one function's invocations. `log` has its events without line ends."""

    durations_ms: tuple[float, ...]
    cpu_seconds: float
    memory_mb: int
    log: tuple[str, ...]
    calls: Counter[tuple[str, str]]

    @property
    def billed_seconds(self) -> float:
        """Estimate the duration that AWS would bill.

        The measured functions had a whole CPU. On Lambda, a function has a share of a CPU that
        depends on its memory, so its CPU time takes that much longer.
        """
        share = min(1, self.memory_mb / MB_PER_CPU)
        measured_ms = sum(math.floor(each) + 1 for each in self.durations_ms)
        return measured_ms / 1000 + self.cpu_seconds * (1 / share - 1)

    @property
    def log_bytes(self) -> int:
        """Return the bytes ingested: Lambda ends each event with a line end."""
        return sum(len(each.encode()) + 1 + _LOG_EVENT_OVERHEAD_BYTES for each in self.log)

    def amounts(self) -> dict[Item, float]:
        """Return the amounts without those of the calls that the function made."""
        return {
            Item.LAMBDA_REQUEST: len(self.durations_ms),
            Item.LAMBDA_GB_SECOND: self.billed_seconds * self.memory_mb / 1024,
            Item.LOGS_GB: self.log_bytes / 1e9,
        }


def sqs_requests(bodies: Sequence[str]) -> int:
    """Return the requests with which Lambda's poller receives and deletes a batch.

    Each call handles at most ten messages. SQS charges a request per started 64 KB received.
    """
    requests = 0
    for start in range(0, len(bodies), 10):
        received = sum(len(each.encode()) for each in bodies[start : start + 10])
        requests += math.ceil(received / (64 * 1024)) + 1
    return requests


def writes(used: Invocations) -> int:
    """Return the number of write calls to DynamoDB."""
    return sum(used.calls["dynamodb", each] for each in _WRITES)


def other_calls(used: Invocations) -> Amounts:
    """Return the amounts of all calls but those to DynamoDB and EventBridge.

    Raises ValueError for a call without a known price.
    """
    amounts = []
    for (service, operation), number in used.calls.items():
        match service, operation:
            case ("s3", "GetObject" | "HeadObject"):
                amounts.append({Item.S3_GET: number})
            case ("s3", "PutObject" | "ListObjectsV2"):
                amounts.append({Item.S3_PUT: number})
            case ("sqs", _):
                amounts.append({Item.SQS_REQUEST: number})
            case ("dynamodb", _) if operation in READS | _WRITES:
                pass
            case ("events", "PutEvents"):
                pass
            case _:
                raise ValueError(f"no known price for {service} {operation}; add it to other_calls")
    return total(amounts)
