"""Wait for a condition."""

import time
from collections.abc import Callable
from typing import Any


def eventually(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Call `condition` until it returns a true value, and return that."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"condition not met after {seconds} s"
        time.sleep(0.1)
    return value
