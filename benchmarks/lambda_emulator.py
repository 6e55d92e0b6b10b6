"""Start a function as AWS does, with its Runtime Interface Emulator and awslambdaric."""

import os
import platform
import re
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Timer
from typing import Final

import psutil

from local.environment import REGION, ROOT

ARCHITECTURE: Final = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"

_VENV: Final = ROOT / ".venv-lambda"
_PYTHON: Final = _VENV / "bin" / "python"
_BINARY: Final = f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
_TIMEOUT_SECONDS: Final = 30
_INVOKE: Final = "/2015-03-31/functions/function/invocations"
_READY: Final = "INIT RTDONE(status: success)"
_INIT_REPORT: Final = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
"""The line that ends a start."""


class StartFailed(RuntimeError):
    """The function did not become ready. The message is its log."""


@dataclass(frozen=True)
class Function:
    """A function to start: Lambda's `handler` setting, and the unpacked bundle in `folder`."""

    handler: str
    folder: Path
    environment: Mapping[str, str]


def init_ms(function: Function) -> float:
    """Start a function in a new process and return the duration of the start. Raises StartFailed.

    The duration includes the runtime's own.
    """
    return parse_init_ms(_start(function))


def parse_init_ms(log: Iterable[str]) -> float:
    """Return the duration of the start that the emulator reports. Raises StartFailed."""
    lines = list(log)
    reports = [found[1] for line in lines if (found := _INIT_REPORT.search(line))]
    if not reports or not any(_READY in line for line in lines):
        raise StartFailed("".join(lines))
    return float(reports[0])


def _start(function: Function) -> list[str]:
    """Return the log of a start, by line.

    The process is killed when it is ready: invocations are not measured here.
    """
    invoke_port, runtime_port = _free_ports(2)
    (emulator,) = _VENV.glob(f"lib/python*/site-packages/{_BINARY}")
    options = f"--log-level info --runtime-api-address 127.0.0.1:{runtime_port}"
    options += f" --runtime-interface-emulator-address 127.0.0.1:{invoke_port}"
    runtime = [str(_PYTHON), "-m", "awslambdaric", function.handler]
    with subprocess.Popen(
        [str(emulator), *options.split(), *runtime],
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
                if _INIT_REPORT.search(line):
                    break
            connection.close()
        finally:
            watchdog.cancel()
            _kill(process)
    return log


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
