"""Durations of function invocations, from AWS's latencies and the function's CPU time."""

import random
from functools import lru_cache
from typing import Final

from benchmarks.assumptions import DYNAMODB_MS, MB_PER_CPU, S3_MS
from benchmarks.reviewed_template import memory_mb
from benchmarks.scale.limits import EVENTS_PER_CALL
from inference_results.contract import Service

CPU_MS: Final = {
    Service.RECORD_RESULT: 1.2,
    Service.PUBLISH_EVENTS: 0.21,
    Service.SUMMARIZE: 0.022,
}
"""CPU time per result on a whole CPU. `make bench PARTS=per_result` measures record_result, with
HTTP and TLS. The others were measured once, without the network."""

PUT_EVENTS_MS: Final = 20.0
"""Mean latency of a call (assumed)."""
SPREAD: Final = 0.4
"""Sigma of the log-normal latencies: one call in a hundred takes 2.5 times the median."""
OVERHEAD_MS: Final = 5.0
"""Lambda's overhead per invocation (assumed)."""

_CONCURRENT_CALLS: Final = 4
"""Concurrent PutEvents calls, as in functions/publish_events.py."""
_SAMPLES: Final = 64


@lru_cache(maxsize=4096)
def record_result_seconds(messages: int, workers: int) -> float:
    """Return the mean duration of record_result with a batch.

    Each message takes one GET and one UpdateItem, in one of the workers.
    """
    rng = random.Random(messages * 1000 + workers)  # noqa: S311 - reproducible
    cpu_ms = messages * _cpu_ms(Service.RECORD_RESULT)
    samples = []
    for _ in range(_SAMPLES):
        busy_ms = [0.0] * min(workers, messages)
        for _ in range(messages):
            at = busy_ms.index(min(busy_ms))
            busy_ms[at] += _sample(rng, S3_MS) + _sample(rng, DYNAMODB_MS)
        samples.append(OVERHEAD_MS + max(*busy_ms, cpu_ms))
    return sum(samples) / _SAMPLES / 1000


def publish_events_seconds(changes: int) -> float:
    """Return the mean duration of publish_events with a batch of changes."""
    rounds = -(-changes // (EVENTS_PER_CALL * _CONCURRENT_CALLS))
    cpu_ms = changes * _cpu_ms(Service.PUBLISH_EVENTS)
    return (OVERHEAD_MS + rounds * PUT_EVENTS_MS + cpu_ms) / 1000


def summarize_seconds(changes: int, endpoints: int) -> float:
    """Return the mean duration of summarize: one UpdateItem per endpoint, sequentially."""
    cpu_ms = changes * _cpu_ms(Service.SUMMARIZE)
    return (OVERHEAD_MS + endpoints * DYNAMODB_MS + cpu_ms) / 1000


def _cpu_ms(service: Service) -> float:
    """Scale the CPU time to the share of a CPU that the function's memory gives."""
    return CPU_MS[service] * max(1, MB_PER_CPU / memory_mb(service))


def _sample(rng: random.Random, mean: float) -> float:
    return mean * rng.lognormvariate(-(SPREAD**2) / 2, SPREAD)
