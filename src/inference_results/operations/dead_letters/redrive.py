"""Send dead letters through the pipeline again.

A message is deleted only after its delivery. When a run stops half way, each message is in the
queue, delivered, or both. A second delivery results in the same record, count or event.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from inference_results.domain.record.errors import InferenceResultsError
from inference_results.operations.dead_letters.queues import DeadLetter


class StillFailing(InferenceResultsError):
    """The message cannot be redriven, or failed again. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Whether a redrive can succeed and why, and the message's inference, if it is known."""

    redrivable: bool
    reason: str
    inference_id: str = ""
    endpoint_name: str = ""
    status: str = ""


class Redriver(Protocol):
    """Redrives the messages of one queue."""

    def assess(self, message: DeadLetter) -> Assessment:
        """Check whether a redrive can succeed. Changes nothing."""

    def redrive(self, message: DeadLetter) -> None:
        """Deliver the message. Raises StillFailing; any other error ends the run."""


@dataclass(frozen=True, slots=True)
class RedriveOutcome:
    """`failure` says why the message stays in its queue. It is None if the message was redriven."""

    message_id: str
    failure: str | None = None


def redrive_messages(
    messages: Iterable[DeadLetter],
    redriver: Redriver,
    *,
    delete: Callable[[DeadLetter], None],
    pause: Callable[[], None] = lambda: None,
) -> Iterator[RedriveOutcome]:
    """Redrive messages one by one, yield each outcome, and pause after each attempt to deliver."""
    for message in messages:
        assessment = redriver.assess(message)
        if not assessment.redrivable:
            yield RedriveOutcome(message.message_id, assessment.reason)
            continue
        try:
            redriver.redrive(message)
        except StillFailing as error:
            yield RedriveOutcome(message.message_id, str(error))
        else:
            delete(message)
            yield RedriveOutcome(message.message_id)
        pause()
