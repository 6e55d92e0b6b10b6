"""What an operation of the client wants done next.

An operation is a generator of steps. It does no input or output, knows neither threads nor an event
loop, and so is the same for both clients; a driver does what it yields and sends the reply back.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final, Generic, TypeAlias, TypeVar

from inference_results.client.flows.download import Download
from inference_results.client.flows.requests import GetRecord, GetRecords, ServiceRequest

LAST_ROUND_SECONDS: Final = 5.0
"""After a deadline, questions that had to wait for their turn are still put for so long."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Send:
    """Put the questions, some of them side by side.

    The reply is a list of replies in the order of the questions. None stands for a question whose
    turn came too long after the `deadline` (on the clock of the driver).
    """

    questions: tuple[ServiceRequest, ...]
    deadline: float = inf

    def in_turn(self, question: ServiceRequest, now: float) -> ServiceRequest | None:
        """As it is to be put when its turn comes: not held open beyond the deadline."""
        if now > self.deadline + LAST_ROUND_SECONDS:
            return None
        if isinstance(question, GetRecord | GetRecords):
            return replace(question, wait=min(question.wait, max(self.deadline - now, 0)))
        return question


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for some seconds. There is no reply."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read a URL into the download. The reply is None when it is complete, else the error."""

    url: str = field(repr=False)
    download: Download


@dataclass(frozen=True, slots=True)
class Item(Generic[_T]):
    """Hand this to the caller, and go on when the next is wanted. There is no reply."""

    value: _T


Operation: TypeAlias = Generator[Send | Sleep | Fetch, Any, _T]
"""Returns what the caller wants."""

Search: TypeAlias = Generator[Send | Sleep | Fetch | Item[_T], Any, None]
"""Finds what the caller wants, one after the other."""
