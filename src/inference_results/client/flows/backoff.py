"""The delay before a retry."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inference_results.client.errors import ServiceUnavailable
from inference_results.client.flows.requests import MAX_WAIT_SECONDS

BASE_DELAY_SECONDS: Final = 0.5
MAX_DELAY_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter.

    `clock` returns monotonic seconds, `random` a number from 0 to below 1. `max_wait` limits the
    `wait` of a request, and the delay between two polls of a service that ignores `wait`.
    """

    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    max_wait: float = MAX_WAIT_SECONDS

    def delay(self, error: ServiceUnavailable, failures: int) -> float:
        """Return the seconds to wait after a number of failures in a row.

        Never less than the `retry_after` of the error.
        """
        limit = min(MAX_DELAY_SECONDS, BASE_DELAY_SECONDS * 2.0 ** min(failures - 1, 10))
        return max(self.random() * limit, error.retry_after or 0)
