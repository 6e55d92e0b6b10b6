"""One local system for the parts that need one, in a temporary folder."""

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from local.environment import LocalFolder
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


@contextmanager
def environment_restored() -> Iterator[None]:
    """Variables and boto3's session, which keeps what it read of them."""
    before = dict(os.environ)
    boto3.DEFAULT_SESSION = None
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        boto3.DEFAULT_SESSION = None


@cache
def _brought_up() -> LocalFolder:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    temporary = TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True)
    folder = LocalFolder(Path(temporary.name))
    atexit.register(temporary.cleanup)
    atexit.register(down, folder)
    up(folder, tell=lambda step: print(step, file=sys.stderr))
    return folder
