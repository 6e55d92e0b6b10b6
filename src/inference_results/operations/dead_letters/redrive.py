"""Giving dead letters back to where they came from.

A letter is deleted after it was taken there, never before: whoever stops half way has it in the
queue, or has it there, or both. What arrives twice leaves the same record, count or announcement.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from inference_results.domain.record.errors import InferenceResultsError
from inference_results.operations.dead_letters.queues import DeadLetter


class StillFailing(InferenceResultsError):
    """This letter would not get further than it did, or did not: the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What would become of a letter, and what it is about, as far as it tells."""

    would_pass: bool
    why: str
    inference_id: str = ""
    endpoint_name: str = ""
    status: str = ""


class RedrivePath(Protocol):
    """Where the letters of a queue go."""

    def judge(self, letter: DeadLetter) -> Assessment:
        """Changes nothing."""

    def redrive(self, letter: DeadLetter) -> None:
        """Return when it was taken. Raises StillFailing, or what ends the whole."""


@dataclass(frozen=True, slots=True)
class RedriveOutcome:
    """What became of a letter; `left` is why it stays where it is, None if it was redrive_messages."""

    message_id: str
    left: str | None = None


def redrive_messages(
    letters: Iterable[DeadLetter],
    route: RedrivePath,
    *,
    delete: Callable[[DeadLetter], None],
    pause: Callable[[], None] = lambda: None,
) -> Iterator[RedriveOutcome]:
    """One after another; `pause` is called behind each that was sent anywhere."""
    for letter in letters:
        verdict = route.judge(letter)
        if not verdict.would_pass:
            yield RedriveOutcome(letter.message_id, verdict.why)
            continue
        try:
            route.redrive(letter)
        except StillFailing as why:
            yield RedriveOutcome(letter.message_id, str(why))
        else:
            delete(letter)
            yield RedriveOutcome(letter.message_id)
        pause()
