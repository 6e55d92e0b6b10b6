"""Background processes that outlive the command that started them."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil


class StartError(RuntimeError):
    """A process did not start. The message names its log."""


class Processes:
    """Starts processes and remembers them in `folder`, to stop only those."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "processes.json"

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        is_up: Callable[[], bool],
        timeout_seconds: float = 30,
    ) -> None:
        """Start `command`, an absolute path and its arguments, and wait until `is_up`.

        Raises StartError.
        """
        log = self._folder / f"{name}.log"
        with log.open("w") as output:
            # subprocess.Popen would warn about children that nobody waits for.
            pid = os.posix_spawn(
                command[0],
                list(command),
                os.environ if env is None else env,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
                ],
                setsid=True,
            )
        started = psutil.Process(pid).create_time()
        self._write({**self._read(), name: {"pid": pid, "started": started}})
        deadline = time.monotonic() + timeout_seconds
        while not is_up():
            if not self.running(name) or time.monotonic() > deadline:
                raise StartError(f"{name} did not start; see {log}")
            time.sleep(0.1)

    def running(self, name: str) -> bool:
        return self.process(name) is not None

    def stop_all(self) -> list[str]:
        """Stop the processes and their children, and return the names of those that ran."""
        stopped = []
        for name in reversed(self._read()):
            if process := self.process(name):
                family = [*process.children(recursive=True), process]
                for each in family:
                    with suppress(psutil.NoSuchProcess):
                        each.terminate()
                for survivor in psutil.wait_procs(family, timeout=5)[1]:
                    with suppress(psutil.NoSuchProcess):
                        survivor.kill()
                stopped.append(name)
        self._write({})
        return stopped

    def process(self, name: str) -> psutil.Process | None:
        """Return None if it is gone. Compares start times, because pids are reused."""
        known = self._read().get(name)
        if known is None:
            return None
        try:
            process = psutil.Process(known["pid"])
            alive = process.status() != psutil.STATUS_ZOMBIE
            return process if alive and process.create_time() == known["started"] else None
        except psutil.NoSuchProcess:
            return None

    def _read(self) -> dict[str, dict[str, Any]]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def _write(self, processes: dict[str, dict[str, Any]]) -> None:
        self._file.write_text(json.dumps(processes, indent=2))
