"""Publish an event for each change of status, at least once.

Events that the bus does not accept are retried. Changes whose events are still not accepted when
time runs out are returned to the stream.
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
    """The bus's response to an event."""

    ACCEPTED = auto()
    RETRY = auto()
    REJECTED = auto()
    """The event is invalid: no retry helps."""


class Bus(Protocol):
    """An event bus."""

    def put(
        self, events: Sequence[InferenceEvent], has_time: Callable[[], bool]
    ) -> list[PutResult]:
        """Put each event once and return one result each; RETRY for those without time left."""


@dataclass(slots=True, kw_only=True)
class PublishReport:
    """The events of some changes."""

    published: int = 0
    lags_ms: list[int] = field(default_factory=list)
    """For each published event, the time since its record was written."""
    retried: int = 0
    returned: list[str] = field(default_factory=list)
    """The sequences of changes to deliver again, in order."""
    rejected: list[InferenceEvent] = field(default_factory=list)
    malformed: Malformed = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEvents:
    """`custom_attributes`: whether events include the caller's CustomAttributes."""

    bus: Bus
    custom_attributes: bool
    deliver: Deliver
    now: Callable[[], datetime]

    def __call__(self, changes: Iterable[Change], has_time: Callable[[], bool]) -> PublishReport:
        """Publish the events of changes, which are in the order of the stream.

        `has_time` says whether another call can start. After an exception, publish the same
        changes again: events keep their ids.
        """
        pending, malformed = pending_from(changes, self._events)
        report = PublishReport(malformed=malformed)
        delivery = self.deliver(pending, lambda some: self._put(some, report, has_time), has_time)
        report.returned += [each.sequence for each in delivery.undelivered]
        report.retried = delivery.retries
        return report

    def _events(self, change: Change) -> list[InferenceEvent]:
        event = event_for_change(change, custom_attributes=self.custom_attributes)
        return [event] if event else []

    def _put(
        self,
        pending: Sequence[Pending[InferenceEvent]],
        report: PublishReport,
        has_time: Callable[[], bool],
    ) -> list[Pending[InferenceEvent]]:
        """Put the events once and return those to retry."""
        results = self.bus.put([each.value for each in pending], has_time)
        now = timestamp(self.now())
        outcomes = list(zip(pending, results, strict=True))
        accepted = [each.value for each, result in outcomes if result is PutResult.ACCEPTED]
        report.published += len(accepted)
        report.lags_ms += [
            milliseconds_between(each.recorded_at, now) for each in accepted if each.recorded_at
        ]
        report.rejected += [each.value for each, result in outcomes if result is PutResult.REJECTED]
        return [each for each, result in outcomes if result is PutResult.RETRY]
