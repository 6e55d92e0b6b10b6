"""Complete the Step Functions tasks that wait for an inference, at least once.

A task that no longer exists, or that this service is not allowed to complete, is skipped: it would
block its shard of the stream. Changes whose tasks could not be completed in time are returned to
the stream.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Protocol

from inference_results.domain.changes.delivery import Deliver, Malformed, Pending, pending_from
from inference_results.domain.changes.task_completions import (
    TaskCompletion,
    completions_for_change,
)
from inference_results.domain.record.change import Change


class CompletionResult(Enum):
    """Step Functions' response to a completion."""

    ACCEPTED = auto()
    GONE = auto()
    """The task has ended (completed, timed out or stopped), or the token is invalid."""
    DENIED = auto()
    """Access denied, or the completion is invalid."""
    RETRY = auto()


class Tasks(Protocol):
    """Step Functions."""

    def complete(
        self, completions: Sequence[TaskCompletion], has_time: Callable[[], bool]
    ) -> list[CompletionResult]:
        """Complete each task once and return one result each; RETRY for those without time left."""


@dataclass(slots=True, kw_only=True)
class CompletionReport:
    """The tasks that some changes end."""

    completed: int = 0
    gone: int = 0
    returned: list[str] = field(default_factory=list)
    """The sequences of changes to deliver again, in order."""
    denied: list[TaskCompletion] = field(default_factory=list)
    malformed: Malformed = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTasks:
    """`custom_attributes`: whether task outputs include the caller's CustomAttributes."""

    tasks: Tasks
    custom_attributes: bool
    deliver: Deliver

    def __call__(self, changes: Iterable[Change], has_time: Callable[[], bool]) -> CompletionReport:
        """Complete the tasks of changes, which are in the order of the stream.

        `has_time` says whether another call can start. After an exception, complete the tasks of
        the same changes again.
        """
        completions = partial(completions_for_change, custom_attributes=self.custom_attributes)
        pending, malformed = pending_from(changes, completions)
        report = CompletionReport(malformed=malformed)
        delivery = self.deliver(
            pending, lambda some: self._complete(some, report, has_time), has_time
        )
        report.returned += [each.sequence for each in delivery.undelivered]
        return report

    def _complete(
        self,
        pending: Sequence[Pending[TaskCompletion]],
        report: CompletionReport,
        has_time: Callable[[], bool],
    ) -> list[Pending[TaskCompletion]]:
        """Complete the tasks once and return those to retry."""
        results = self.tasks.complete([each.value for each in pending], has_time)
        report.completed += results.count(CompletionResult.ACCEPTED)
        report.gone += results.count(CompletionResult.GONE)
        outcomes = list(zip(pending, results, strict=True))
        report.denied += [
            each.value for each, result in outcomes if result is CompletionResult.DENIED
        ]
        return [each for each, result in outcomes if result is CompletionResult.RETRY]
