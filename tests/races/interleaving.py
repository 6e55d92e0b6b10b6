"""Two writers that stop before each AWS call and continue on a schedule."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, repeat
from threading import Semaphore
from typing import Any, Final, Self, TypeAlias

Turn: TypeAlias = tuple[int, ...]

TURNS: Final[tuple[Turn, ...]] = ((0,), (1,), (0, 1))
"""The writers that make their next call. If both do, AWS decides which one comes first."""

_TIMEOUT_SECONDS: Final = 30


class TwoWriters:
    """Two threads, each with its own boto3 client, which stops before every call."""

    def __init__(self, clients: Sequence[Any]) -> None:
        self._pool = ThreadPoolExecutor(len(clients))
        self._writers = [_Writer(client) for client in clients]
        self._is_running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, tasks: Sequence[Callable[[], None]], schedule: Iterable[Turn]) -> None:
        """Run both tasks to their end. After the schedule, both writers call at the same time."""
        assert not self._is_running, "an earlier race did not end: look at its failure first"
        self._is_running = True
        for writer, task in zip(self._writers, tasks, strict=True):
            writer.start(self._pool.submit(task))
        turns = chain(schedule, repeat(TURNS[-1]))
        while any(writer.is_running for writer in self._writers):
            scheduled = [self._writers[each] for each in next(turns)]
            running = [writer for writer in scheduled if writer.is_running]
            for writer in running:
                writer.resume()
            for writer in running:
                writer.wait()
        self._is_running = False
        errors = [error for writer in self._writers if (error := writer.error())]
        if errors:
            raise errors[0]


class _Writer:
    def __init__(self, client: Any) -> None:
        self._resumed = Semaphore(0)
        self._stopped = Semaphore(0)
        client.meta.events.register("before-call", self._stop)

    def start(self, task: Future[None]) -> None:
        self._task = task
        self.is_running = True
        task.add_done_callback(self._ended)
        self.wait()

    def resume(self) -> None:
        self._resumed.release()

    def wait(self) -> None:
        """Wait until the writer stops before its next call, or has ended."""
        assert self._stopped.acquire(timeout=_TIMEOUT_SECONDS)

    def error(self) -> BaseException | None:
        return self._task.exception()

    def _stop(self, **_: Any) -> None:
        self._stopped.release()
        assert self._resumed.acquire(timeout=_TIMEOUT_SECONDS)

    def _ended(self, _: Future[None]) -> None:
        self.is_running = False
        self._stopped.release()
