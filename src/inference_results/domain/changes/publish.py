"""The use case: tell the bus, at least once, of each change of a status.

Events that the bus does not take are offered again alone. What is left when the time is up is told
by the stream again, from the first of them on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from inference_results.domain.changes.delivery import Deliver, Malformed, Pending, pending_from
from inference_results.domain.changes.events import InferenceEvent, event_for_change
from inference_results.domain.record.change import Change
from inference_results.domain.record.timestamps import milliseconds_between, timestamp


class PutResult(Enum):
    """What the bus made of an event."""

    TAKEN = auto()
    NOT_NOW = auto()
    """It may take it later."""
    NEVER = auto()
    """It takes no such event, however often it is offered."""


class Bus(Protocol):
    """Where events are put."""

    def put(
        self, announcements: Sequence[InferenceEvent], may_begin: Callable[[], bool]
    ) -> list[PutResult]:
        """What became of each; none is offered twice, nor when there is no time to."""


@dataclass(slots=True, kw_only=True)
class PublishReport:
    """What became of some changes.

    `left` are the sequences of those to be told again, in order. What is `refused` or `malformed`
    is never announced: the latter by sequence, and why.
    """

    announced: int = 0
    lags_ms: list[int] = field(default_factory=list)
    """Of those, since they were recorded."""
    retried: int = 0
    left: list[str] = field(default_factory=list)
    refused: list[InferenceEvent] = field(default_factory=list)
    malformed: Malformed = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEvents:
    """Offers what the bus does not take again, alone, a few times.

    `custom_attributes`: whether events show the caller's own.
    """

    bus: Bus
    custom_attributes: bool
    offer: Deliver
    now: Callable[[], datetime]

    def __call__(self, changes: Iterable[Change], may_begin: Callable[[], bool]) -> PublishReport:
        """`changes` are in the order of the stream; `may_begin`: is there time for one more call?

        After whatever it raises the same changes can be told again.
        """
        pending, malformed = pending_from(changes, self._announcements)
        told = PublishReport(malformed=malformed)
        offered = self.offer(
            pending, lambda some: self._offer_once(some, told, may_begin), may_begin
        )
        told.left += [each.sequence for each in offered.left]
        told.retried = offered.retried
        return told

    def _announcements(self, change: Change) -> list[InferenceEvent]:
        """One or none. Raises MalformedRecord."""
        announcement = event_for_change(change, custom_attributes=self.custom_attributes)
        return [announcement] if announcement else []

    def _offer_once(
        self,
        pending: Sequence[Pending[InferenceEvent]],
        told: PublishReport,
        may_begin: Callable[[], bool],
    ) -> list[Pending[InferenceEvent]]:
        """Those that may be taken later, in their order."""
        replies = self.bus.put([each.value for each in pending], may_begin)
        now = timestamp(self.now())
        answered = list(zip(pending, replies, strict=True))
        taken = [each.value for each, reply in answered if reply is PutResult.TAKEN]
        told.announced += len(taken)
        told.lags_ms += [
            milliseconds_between(each.recorded_at, now) for each in taken if each.recorded_at
        ]
        told.refused += [each.value for each, reply in answered if reply is PutResult.NEVER]
        return [each for each, reply in answered if reply is PutResult.NOT_NOW]
