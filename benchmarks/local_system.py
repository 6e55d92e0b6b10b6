"""One local system for the parts that need one, in a temporary folder."""

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
    """Makes this process a client of the local system, for as long as the context lasts.

    The first to ask brings it up, for all parts of a run: it is stopped when the process ends, of
    SIGTERM as well.
    Raises StartError or DeployError.
    """
    with environment_restored():
        folder = _brought_up()
        folder.enter()
        yield folder


@cache
def _brought_up() -> LocalFolder:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    temporary = TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True)
    folder = LocalFolder(Path(temporary.name))
    atexit.register(temporary.cleanup)
    atexit.register(down, folder)
    up(folder, tell=lambda step: print(step, file=sys.stderr))
    return folder


def eventually(found: Callable[[], Any], seconds: float = 120) -> Any:
    """What `found` returns, as soon as it is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (it := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing after {seconds} s")
        time.sleep(0.1)
    return it
