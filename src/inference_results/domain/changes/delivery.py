"""Offering what changes of records give rise to, again and again, within a function's time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import MalformedRecord

_PAUSES_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

_T = TypeVar("_T")

Malformed: TypeAlias = list[tuple[str, MalformedRecord]]
"""By the sequence of a change, why nothing can follow from it."""


class Pending(NamedTuple, Generic[_T]):
    """What is still to be taken, and the sequence of the change that it follows from."""

    sequence: str
    value: _T


def pending_from(
    changes: Iterable[Change], following: Callable[[Change], Iterable[_T]]
) -> tuple[list[Pending[_T]], Malformed]:
    """What follows from changes, in their order. `following` raises MalformedRecord."""
    pending: list[Pending[_T]] = []
    malformed: Malformed = []
    for change in changes:
        try:
            pending += [Pending(change.sequence, each) for each in following(change)]
        except MalformedRecord as why:
            malformed.append((change.sequence, why))
    return pending, malformed


class Delivered(NamedTuple, Generic[_T]):
    """What was not taken, and how many times something was offered again."""

    left: list[_T]
    retried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Six times again, alone, what may be taken later. `sleep` takes seconds."""

    sleep: Callable[[float], None]

    def __call__(
        self,
        things: Sequence[_T],
        once: Callable[[Sequence[_T]], list[_T]],
        may_begin: Callable[[], bool],
    ) -> Delivered[_T]:
        """`once` offers, and answers with those that may be taken later, in their order."""
        left, retried = once(things), 0
        for pause in _PAUSES_SECONDS:
            if not left or not may_begin():
                break
            self.sleep(pause)
            retried += len(left)
            left = once(left)
        return Delivered(left, retried)
