"""Deliver what follows from changes, with retries, within a function's time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import MalformedRecord

_DELAYS_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

_T = TypeVar("_T")

Malformed: TypeAlias = list[tuple[str, MalformedRecord]]
"""The sequence of each change from which nothing can follow, and why."""


class Pending(NamedTuple, Generic[_T]):
    """Something to deliver, and the sequence of the change that it follows from."""

    sequence: str
    value: _T


def pending_from(
    changes: Iterable[Change], follow: Callable[[Change], Iterable[_T]]
) -> tuple[list[Pending[_T]], Malformed]:
    """What follows from changes, in their order. `follow` raises MalformedRecord."""
    pending: list[Pending[_T]] = []
    malformed: Malformed = []
    for change in changes:
        try:
            pending += [Pending(change.sequence, each) for each in follow(change)]
        except MalformedRecord as error:
            malformed.append((change.sequence, error))
    return pending, malformed


class Delivery(NamedTuple, Generic[_T]):
    """What could not be delivered in time, and how many retries were made."""

    undelivered: list[_T]
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Retries up to six times, and only what failed. `sleep` takes seconds."""

    sleep: Callable[[float], None]

    def __call__(
        self,
        items: Sequence[_T],
        attempt: Callable[[Sequence[_T]], list[_T]],
        has_time: Callable[[], bool],
    ) -> Delivery[_T]:
        """`attempt` delivers items and returns those to retry, in their order.

        `has_time` says whether another attempt can start.
        """
        undelivered, retries = attempt(items), 0
        for delay in _DELAYS_SECONDS:
            if not undelivered or not has_time():
                break
            self.sleep(delay)
            retries += len(undelivered)
            undelivered = attempt(undelivered)
        return Delivery(undelivered, retries)
