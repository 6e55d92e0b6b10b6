"""Two writers that go from one call to AWS to the next, each when a schedule says so."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, repeat
from threading import Semaphore
from typing import Any, Final, Self, TypeAlias

Turn: TypeAlias = tuple[int, ...]

TURNS: Final[tuple[Turn, ...]] = ((0,), (1,), (0, 1))
"""Which writers make their next call. If both do, AWS decides which is first."""

_TIMEOUT_SECONDS: Final = 30


class TwoWriters:
    """Each with a boto3 client of its own, which stops before every call."""

    def __init__(self, clients: Sequence[Any]) -> None:
        self._pool = ThreadPoolExecutor(len(clients))
        self._writers = [_Writer(client) for client in clients]
        self._is_running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, works: Sequence[Callable[[], None]], schedule: Iterable[Turn]) -> None:
        """Until both have ended; after the schedule their calls are made at the same time."""
        assert not self._is_running, "an earlier race did not end: that is the failure to look at"
        self._is_running = True
        for writer, work in zip(self._writers, works, strict=True):
            writer.start(self._pool.submit(work))
        turns = chain(schedule, repeat(TURNS[-1]))
        while any(writer.is_running for writer in self._writers):
            chosen = [self._writers[each] for each in next(turns)]
            going = [writer for writer in chosen if writer.is_running]
            for writer in going:
                writer.go()
            for writer in going:
                writer.wait()
        self._is_running = False
        failed = [error for writer in self._writers if (error := writer.error())]
        if failed:
            raise failed[0]


class _Writer:
    def __init__(self, client: Any) -> None:
        self._may_go = Semaphore(0)
        self._stands = Semaphore(0)
        client.meta.events.register("before-call", self._stop)

    def start(self, work: Future[None]) -> None:
        self._work = work
        self.is_running = True
        work.add_done_callback(self._ended)
        self.wait()

    def go(self) -> None:
        self._may_go.release()

    def wait(self) -> None:
        """Until it stands before its next call, or has ended."""
        assert self._stands.acquire(timeout=_TIMEOUT_SECONDS)

    def error(self) -> BaseException | None:
        """What its work raised."""
        return self._work.exception()

    def _stop(self, **_: Any) -> None:
        self._stands.release()
        assert self._may_go.acquire(timeout=_TIMEOUT_SECONDS)

    def _ended(self, _: Future[None]) -> None:
        self.is_running = False
        self._stands.release()
