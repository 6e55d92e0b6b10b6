"""The use case: tell, at least once, the tasks that wait for an inference how it has ended.

A task that is gone, or that this service may not answer, is done with: it would hold up its shard
of the stream. What cannot be told for now is told by the stream again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Protocol

from inference_results.domain.announcement import Change
from inference_results.domain.offering import Malformed, Offer, Pending, pending_of
from inference_results.domain.task_answer import TaskAnswer, answers_by


class Reply(Enum):
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

    def answer(self, answers: Sequence[TaskAnswer], may_begin: Callable[[], bool]) -> list[Reply]:
        """What became of each; none is offered twice, nor when there is no time to."""


@dataclass(slots=True, kw_only=True)
class Answered:
    """What became of the tasks that some changes end.

    `left` are the sequences of those to be told again, in order; `denied` and `malformed` (by
    sequence, and why) are never answered.
    """

    answered: int = 0
    gone: int = 0
    left: list[str] = field(default_factory=list)
    denied: list[TaskAnswer] = field(default_factory=list)
    malformed: Malformed = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTasks:
    """`custom_attributes`: whether outputs show the caller's own."""

    tasks: Tasks
    custom_attributes: bool
    offer: Offer

    def __call__(self, changes: Iterable[Change], may_begin: Callable[[], bool]) -> Answered:
        """`changes` are in the order of the stream; `may_begin`: is there time for one more call?

        After whatever it raises the same changes can be told again.
        """
        answers = partial(answers_by, custom_attributes=self.custom_attributes)
        pending, malformed = pending_of(changes, answers)
        answered = Answered(malformed=malformed)
        offered = self.offer(
            pending, lambda some: self._offer_once(some, answered, may_begin), may_begin
        )
        answered.left += [each.sequence for each in offered.left]
        return answered

    def _offer_once(
        self,
        pending: Sequence[Pending[TaskAnswer]],
        answered: Answered,
        may_begin: Callable[[], bool],
    ) -> list[Pending[TaskAnswer]]:
        """Those that may be taken later, in their order."""
        replies = self.tasks.answer([each.value for each in pending], may_begin)
        answered.answered += replies.count(Reply.TAKEN)
        answered.gone += replies.count(Reply.GONE)
        told = list(zip(pending, replies, strict=True))
        answered.denied += [each.value for each, reply in told if reply is Reply.DENIED]
        return [each for each, reply in told if reply is Reply.NOT_NOW]
