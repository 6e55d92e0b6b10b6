"""Asking AWS again, by whoever has more time than a function."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from inference_results.domain.record.errors import Unavailable

ATTEMPTS: Final = 8
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 20.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryUnavailable:
    """Pauses for up to 52 s in all; safe to share between threads. `sleep` takes seconds."""

    sleep: Callable[[float], None]

    def __call__(self, ask: Callable[[], _T]) -> _T:
        """What `ask` answers. Raises Unavailable if it is so at the last attempt too."""
        pause = _FIRST_PAUSE_SECONDS
        for _ in range(ATTEMPTS - 1):
            try:
                return ask()
            except Unavailable:
                self.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - only a jitter
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return ask()
