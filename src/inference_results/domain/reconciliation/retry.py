"""Retry calls to AWS for longer than a function can wait."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from inference_results.domain.record.errors import Unavailable

MAX_ATTEMPTS: Final = 8
_FIRST_DELAY_SECONDS: Final = 0.5
_MAX_DELAY_SECONDS: Final = 20.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryUnavailable:
    """Retries with backoff, for up to 52 seconds of delays. Thread-safe. `sleep` takes seconds."""

    sleep: Callable[[float], None]

    def __call__(self, call: Callable[[], _T]) -> _T:
        """Return what `call` returns. Raises Unavailable if the last attempt does."""
        delay = _FIRST_DELAY_SECONDS
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return call()
            except Unavailable:
                self.sleep(random.uniform(delay / 2, delay))  # noqa: S311 - only a jitter
                delay = min(2 * delay, _MAX_DELAY_SECONDS)
        return call()
