"""A local system in a temporary folder, shared by the benchmarks that need one."""

import atexit
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.environment import LocalFolder, environment_restored
from local.system import down, up


@contextmanager
def local_system() -> Iterator[LocalFolder]:
    """Make this process a client of the local system inside the `with` block.

    The first call starts the system. It stops when the process exits or receives SIGTERM.
    Raises StartError or DeployError.
    """
    with environment_restored():
        folder = _start()
        folder.enter()
        yield folder


@cache
def _start() -> LocalFolder:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    temporary = TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True)
    folder = LocalFolder(Path(temporary.name))
    atexit.register(temporary.cleanup)
    atexit.register(down, folder)
    up(folder, progress=lambda step: print(step, file=sys.stderr))
    return folder


def eventually(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Poll `condition` until it returns a true value, and return that. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"condition not met after {seconds} s")
        time.sleep(0.1)
    return value
