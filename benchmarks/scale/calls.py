"""How long a call of a function lasts: what it waits for, and what its processor does."""

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from benchmarks.assumed import DYNAMODB_MS, MEGABYTES_OF_A_PROCESSOR, S3_MS
from benchmarks.reviewed_template import memory_megabytes
from benchmarks.scale.aws import EVENTS_A_CALL
from inference_results.contract import Service

PROCESSOR_MS: Final = {
    Service.RECORD_RESULT: 1.2,
    Service.PUBLISH_EVENTS: 0.21,
    Service.SUMMARIZE: 0.022,
}
"""Of one result, on a whole processor: by `make bench PARTS=per_result`, with HTTP and TLS; of the
others by `benchmarks.scale.processor`, without."""

PUT_EVENTS_MS: Final = 20.0
"""Of a call. Assumed, too."""
SPREAD: Final = 0.4
"""Sigma of their logarithm: a hundredth takes 2.5 times the median."""
OVERHEAD_MS: Final = 5.0
"""Of a call of Lambda, whatever is in it. Assumed."""

_CALLS_AT_A_TIME: Final = 4
"""Of PutEvents, as functions/publish_events.py has it."""
_SAMPLES: Final = 64


@dataclass(frozen=True)
class Stretch:
    """Some durations of a call, in seconds, and their mean."""

    samples: tuple[float, ...]
    mean: float


@lru_cache(maxsize=4096)
def recording(messages: int, workers: int) -> Stretch:
    """Of record_result with so many messages: one GET and one UpdateItem for each."""
    chance = random.Random(messages * 1000 + workers)  # noqa: S311 - to be repeated
    processor = messages * _processor_ms(Service.RECORD_RESULT)
    samples = []
    for _ in range(_SAMPLES):
        free = [0.0] * min(workers, messages)
        for _ in range(messages):
            at = free.index(min(free))
            free[at] += _sample(chance, S3_MS) + _sample(chance, DYNAMODB_MS)
        samples.append((OVERHEAD_MS + max(*free, processor)) / 1000)
    return Stretch(tuple(samples), sum(samples) / _SAMPLES)


def announcing(changes: int) -> float:
    """Seconds of announce, for so many changes."""
    rounds = -(-changes // (EVENTS_A_CALL * _CALLS_AT_A_TIME))
    processor = changes * _processor_ms(Service.PUBLISH_EVENTS)
    return (OVERHEAD_MS + rounds * PUT_EVENTS_MS + processor) / 1000


def summarizing(changes: int, endpoints: int) -> float:
    """Seconds of summarize: one UpdateItem after another for each endpoint among the changes."""
    processor = changes * _processor_ms(Service.SUMMARIZE)
    return (OVERHEAD_MS + endpoints * DYNAMODB_MS + processor) / 1000


def _processor_ms(service: Service) -> float:
    """With the part of a processor that goes with the function's memory."""
    return PROCESSOR_MS[service] * max(1, MEGABYTES_OF_A_PROCESSOR / memory_megabytes(service))


def _sample(chance: random.Random, mean: float) -> float:
    return mean * chance.lognormvariate(-(SPREAD**2) / 2, SPREAD)
