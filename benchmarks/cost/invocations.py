"""What invocations of a function used, and the prices of the calls that they made."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final

from benchmarks.assumed import MEGABYTES_OF_A_PROCESSOR
from benchmarks.cost.prices import Item
from benchmarks.cost.usage import Amounts, together

READS: Final = {"GetItem", "Query", "BatchGetItem"}
_WRITES: Final = {"UpdateItem", "PutItem", "DeleteItem"}

_EVENT_OVERHEAD_BYTES: Final = 26
"""Of each event of a log, by docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
API_PutLogEvents.html."""


@dataclass(frozen=True)
class Invocations:
    """What some invocations of one function used. `log` are its events, without line ends."""

    durations_ms: tuple[float, ...]
    processor_seconds: float
    memory_mb: int
    log: tuple[str, ...]
    calls: Counter[tuple[str, str]]
    entries: Counter[tuple[str, str]]

    @property
    def billed_seconds(self) -> float:
        """As AWS would have needed them.

        What was measured has a whole processor; of Lambda's a function has a share by its memory,
        so what its process worked takes that much longer.
        """
        share = min(1, self.memory_mb / MEGABYTES_OF_A_PROCESSOR)
        started_ms = sum(math.floor(each) + 1 for each in self.durations_ms)
        return started_ms / 1000 + self.processor_seconds * (1 / share - 1)

    @property
    def log_bytes(self) -> int:
        """Lambda ends each event with a line end."""
        return sum(len(each.encode()) + 1 + _EVENT_OVERHEAD_BYTES for each in self.log)

    def amounts(self) -> dict[Item, float]:
        """Without what the calls to DynamoDB and EventBridge cost."""
        return {
            Item.LAMBDA_REQUEST: len(self.durations_ms),
            Item.LAMBDA_GB_SECOND: self.billed_seconds * self.memory_mb / 1024,
            Item.LOGS_GB: self.log_bytes / 1e9,
        }


def writes(used: Invocations) -> int:
    return sum(used.calls["dynamodb", each] for each in _WRITES)


def other_calls(used: Invocations) -> Amounts:
    """Raises ValueError for a call that nothing here knows the price of."""
    amounts = []
    for (service, operation), times in used.calls.items():
        match service, operation:
            case ("s3", "GetObject" | "HeadObject"):
                amounts.append({Item.S3_GET: times})
            case ("s3", "PutObject" | "ListObjectsV2"):
                amounts.append({Item.S3_PUT: times})
            case ("sqs", _):
                amounts.append({Item.SQS_REQUEST: times})
            case ("dynamodb", _) if operation in READS | _WRITES:
                pass
            case ("events", "PutEvents"):
                pass
            case _:
                raise ValueError(f"no price is known for {service} {operation}")
    return together(amounts)
