"""How long to wait before trying again."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inference_results.client.errors import ServiceUnavailable
from inference_results.client.flows.requests import MAX_WAIT_SECONDS

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """`clock` gives seconds that never go back, `random` a number from 0 to below 1.

    `longest_wait`: for how many seconds a question is held open at most; where none is held open,
    the longest pause between two.
    """

    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    longest_wait: float = MAX_WAIT_SECONDS

    def pause_after(self, error: ServiceUnavailable, failures: int) -> float:
        """Seconds, after so many failures in a row.

        Anything up to a limit that doubles: clients that failed together do not come back together.
        Never less than the service asked for.
        """
        limit = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
        return max(self.random() * limit, error.retry_after or 0)
