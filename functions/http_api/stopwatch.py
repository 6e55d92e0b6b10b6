"""How long a request takes, without the pauses that it asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stopwatch:
    """`clock` and `sleep` count in seconds; for one request at a time."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _began: float = field(default=0, init=False)

    def start(self) -> None:
        self._began = self.clock()

    def pause(self, seconds: float) -> None:
        """Sleep; it does not count."""
        before = self.clock()
        self.sleep(seconds)
        self._began += self.clock() - before

    @property
    def elapsed_ms(self) -> float:
        """Since the start, in milliseconds."""
        return round((self.clock() - self._began) * 1000, 1)
