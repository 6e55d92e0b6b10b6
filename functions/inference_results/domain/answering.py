"""The use case: tell, at least once, the tasks that wait for an inference how it has ended.

A task that is gone, or that this service may not answer, is done with: it would hold up its shard
of the stream. What cannot be told for now is told by the stream again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Protocol

from inference_results.domain.announcement import Change
from inference_results.domain.errors import MalformedRecord
from inference_results.domain.offering import Offer
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
    malformed: list[tuple[str, MalformedRecord]] = field(default_factory=list)


class _Pending(NamedTuple):
    """An answer that is still to be taken, and the sequence of its change."""

    sequence: str
    answer: TaskAnswer


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
        answered = Answered()
        offered = self.offer(
            self._answers(changes, answered),
            lambda pending: self._offer_once(pending, answered, may_begin),
            may_begin,
        )
        answered.left += [each.sequence for each in offered.left]
        return answered

    def _answers(self, changes: Iterable[Change], answered: Answered) -> list[_Pending]:
        found: list[_Pending] = []
        for change in changes:
            try:
                answers = answers_by(change, custom_attributes=self.custom_attributes)
            except MalformedRecord as why:
                answered.malformed.append((change.sequence, why))
            else:
                found += [_Pending(change.sequence, each) for each in answers]
        return found

    def _offer_once(
        self, pending: Sequence[_Pending], answered: Answered, may_begin: Callable[[], bool]
    ) -> list[_Pending]:
        """Those that may be taken later, in their order."""
        replies = self.tasks.answer([each.answer for each in pending], may_begin)
        answered.answered += replies.count(Reply.TAKEN)
        answered.gone += replies.count(Reply.GONE)
        told = list(zip(pending, replies, strict=True))
        answered.denied += [each.answer for each, reply in told if reply is Reply.DENIED]
        return [each for each, reply in told if reply is Reply.NOT_NOW]
