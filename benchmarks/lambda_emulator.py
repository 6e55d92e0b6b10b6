"""Start a function as AWS does, with its Runtime Interface Emulator and awslambdaric."""

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

from benchmarks.cold_start_log import is_init_report
from local.environment import REGION, ROOT

ARCHITECTURE: Final = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"

_VENV: Final = ROOT / ".venv-lambda"
_PYTHON: Final = _VENV / "bin" / "python"
_BINARY: Final = f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
_TIMEOUT_SECONDS: Final = 30
_INVOKE: Final = "/2015-03-31/functions/function/invocations"


@dataclass(frozen=True)
class Function:
    """A function to start: Lambda's `handler` setting, and the unpacked bundle in `folder`."""

    handler: str
    folder: Path
    environment: Mapping[str, str]

    @property
    def module(self) -> str:
        return self.handler.rpartition(".")[0]


def start(function: Function) -> list[str]:
    """Start a function in a new process and return its log until it is ready, by line.

    The process is killed then: invocations are not measured here.
    """
    invoke_port, runtime_port = _free_ports(2)
    (emulator,) = _VENV.glob(f"lib/python*/site-packages/{_BINARY}")
    # fmt: off
    command = [
        str(emulator), "--log-level", "info",
        "--runtime-interface-emulator-address", f"127.0.0.1:{invoke_port}",
        "--runtime-api-address", f"127.0.0.1:{runtime_port}",
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
        watchdog = Timer(_TIMEOUT_SECONDS, process.kill)
        watchdog.start()
        try:
            # The emulator starts the function on the first request.
            connection = _send_request(invoke_port)
            log = []
            for line in process.stdout:
                log.append(line)
                if is_init_report(line):
                    break
            connection.close()
        finally:
            watchdog.cancel()
            _kill(process)
    return log


def profile_imports(function: Function) -> list[str]:
    """Import the handler's module without AWS's runtime and return importtime's output."""
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
    """Combine Lambda's variables and the function's, without any of this machine's but PATH."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "HOME": "/nonexistent",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        # A function's folder is read-only.
        "PYTHONDONTWRITEBYTECODE": "1",
        # Block all requests, in case a function makes one.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        **function.environment,
    }


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in listeners]
    for each in listeners:
        each.close()
    return ports


def _send_request(port: int) -> HTTPConnection:
    """Send an invocation as soon as the emulator listens, without waiting for the response."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
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


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill the emulator and the function's process."""
    emulator = psutil.Process(process.pid)
    for each in [*emulator.children(recursive=True), emulator]:
        with suppress(psutil.NoSuchProcess):
            each.kill()
