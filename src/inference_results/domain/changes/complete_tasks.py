"""The use case: tell, at least once, the tasks that wait for an inference how it has ended.

A task that is gone, or that this service may not answer, is done with: it would hold up its shard
of the stream. What cannot be told for now is told by the stream again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Protocol

from inference_results.domain.changes.delivery import Deliver, Malformed, Pending, pending_from
from inference_results.domain.changes.task_completions import TaskCompletion, completions_for_change
from inference_results.domain.record.change import Change


class CompletionResult(Enum):
    """What Step Functions made of an answer."""

    TAKEN = auto()
    GONE = auto()
    """The task has ended already, or there is none: answered before, timed out, or stopped."""
    DENIED = auto()
    """This service may not answer it, or not with this."""
    NOT_NOW = auto()
    """It may take it later."""


class Tasks(Protocol):
    """Step Functions."""

    def answer(
        self, answers: Sequence[TaskCompletion], may_begin: Callable[[], bool]
    ) -> list[CompletionResult]:
        """What became of each; none is offered twice, nor when there is no time to."""


@dataclass(slots=True, kw_only=True)
class CompletionReport:
    """What became of the tasks that some changes end.

    `left` are the sequences of those to be told again, in order; `denied` and `malformed` (by
    sequence, and why) are never answered.
    """

    answered: int = 0
    gone: int = 0
    left: list[str] = field(default_factory=list)
    denied: list[TaskCompletion] = field(default_factory=list)
    malformed: Malformed = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTasks:
    """`custom_attributes`: whether outputs show the caller's own."""

    tasks: Tasks
    custom_attributes: bool
    offer: Deliver

    def __call__(
        self, changes: Iterable[Change], may_begin: Callable[[], bool]
    ) -> CompletionReport:
        """`changes` are in the order of the stream; `may_begin`: is there time for one more call?

        After whatever it raises the same changes can be told again.
        """
        answers = partial(completions_for_change, custom_attributes=self.custom_attributes)
        pending, malformed = pending_from(changes, answers)
        answered = CompletionReport(malformed=malformed)
        offered = self.offer(
            pending, lambda some: self._offer_once(some, answered, may_begin), may_begin
        )
        answered.left += [each.sequence for each in offered.left]
        return answered

    def _offer_once(
        self,
        pending: Sequence[Pending[TaskCompletion]],
        answered: CompletionReport,
        may_begin: Callable[[], bool],
    ) -> list[Pending[TaskCompletion]]:
        """Those that may be taken later, in their order."""
        replies = self.tasks.answer([each.value for each in pending], may_begin)
        answered.answered += replies.count(CompletionResult.TAKEN)
        answered.gone += replies.count(CompletionResult.GONE)
        told = list(zip(pending, replies, strict=True))
        answered.denied += [each.value for each, reply in told if reply is CompletionResult.DENIED]
        return [each for each, reply in told if reply is CompletionResult.NOT_NOW]
