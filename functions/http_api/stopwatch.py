"""How long a request takes, without the time that it spends waiting on purpose."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stopwatch:
    """Times one request at a time. `clock` and `sleep` count in seconds."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _started_at: float = field(default=0, init=False)

    def start(self) -> None:
        self._started_at = self.clock()

    def pause(self, seconds: float) -> None:
        """Sleep without counting the time."""
        before = self.clock()
        self.sleep(seconds)
        self._started_at += self.clock() - before

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the start."""
        return round((self.clock() - self._started_at) * 1000, 1)
