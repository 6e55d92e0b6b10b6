"""Starts a function as AWS starts it: its Runtime Interface Emulator and awslambdaric."""

import os
import platform
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Timer
from typing import Final

import psutil

from benchmarks.start_log import is_reported
from local.environment import REGION, ROOT

ARCHITECTURE: Final = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"

_VENV: Final = ROOT / ".venv-lambda"
_PYTHON: Final = _VENV / "bin" / "python"
_BINARY: Final = f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
_LONGEST_SECONDS: Final = 30
_INVOKE: Final = "/2015-03-31/functions/function/invocations"


@dataclass(frozen=True)
class Function:
    """`handler` as Lambda's setting of this name; `folder` is what was unpacked for it."""

    handler: str
    folder: Path
    environment: Mapping[str, str]

    @property
    def module(self) -> str:
        return self.handler.rpartition(".")[0]


def start(function: Function) -> list[str]:
    """Start it in a process of its own; answers with the lines of its log until it is ready.

    It is stopped then: what an invocation does is not measured here.
    """
    ours, runtimes = _free_ports(2)
    (emulator,) = _VENV.glob(f"lib/python*/site-packages/{_BINARY}")
    # fmt: off
    command = [
        str(emulator), "--log-level", "info",
        "--runtime-interface-emulator-address", f"127.0.0.1:{ours}",
        "--runtime-api-address", f"127.0.0.1:{runtimes}",
        str(_PYTHON), "-m", "awslambdaric", function.handler,
    ]
    # fmt: on
    with subprocess.Popen(
        command,
        cwd=function.folder,
        env=_environment(function),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        watch = Timer(_LONGEST_SECONDS, process.kill)
        watch.start()
        try:
            # The emulator starts a function when it is asked for the first time.
            asking = _asked(ours)
            log = []
            for line in process.stdout:
                log.append(line)
                if is_reported(line):
                    break
            asking.close()
        finally:
            watch.cancel()
            _stop(process)
    return log


def start_profiled(function: Function) -> list[str]:
    """Import the handler's module without AWS's runtime; answers with what `importtime` wrote."""
    profiled = subprocess.run(
        [_PYTHON, "-X", "importtime", "-c", f"import {function.module}"],
        cwd=function.folder,
        env=_environment(function),
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return profiled.stderr.splitlines()


def _environment(function: Function) -> dict[str, str]:
    """What Lambda sets and the function's own, and nothing of this machine's."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "HOME": "/nonexistent",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        # A function's folder cannot be written to.
        "PYTHONDONTWRITEBYTECODE": "1",
        # Nothing is reached from here, should a function get as far as to ask.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        **function.environment,
    }


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in listeners]
    for each in listeners:
        each.close()
    return ports


def _asked(port: int) -> HTTPConnection:
    """The answer is not waited for."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port)
        try:
            connection.request("POST", _INVOKE, b"{}")
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return connection


def _stop(process: subprocess.Popen[str]) -> None:
    """The emulator, and the function's process."""
    emulator = psutil.Process(process.pid)
    for each in [*emulator.children(recursive=True), emulator]:
        with suppress(psutil.NoSuchProcess):
            each.kill()
