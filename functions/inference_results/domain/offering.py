"""Offering things to AWS again, within the time that a function has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

_PAUSES_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

_T = TypeVar("_T")


class Offered(NamedTuple, Generic[_T]):
    """What was not taken, and how many times something was offered again."""

    left: list[_T]
    retried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Six times again, alone, what may be taken later. `sleep` takes seconds."""

    sleep: Callable[[float], None]

    def __call__(
        self,
        things: Sequence[_T],
        once: Callable[[Sequence[_T]], list[_T]],
        may_begin: Callable[[], bool],
    ) -> Offered[_T]:
        """`once` offers, and answers with those that may be taken later, in their order."""
        left, retried = once(things), 0
        for pause in _PAUSES_SECONDS:
            if not left or not may_begin():
                break
            self.sleep(pause)
            retried += len(left)
            left = once(left)
        return Offered(left, retried)
