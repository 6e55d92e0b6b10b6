"""Giving dead letters back to where they came from.

A letter is deleted after it was taken there, never before: whoever stops half way has it in the
queue, or has it there, or both. What arrives twice leaves the same record, count or announcement.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from inference_results.domain.errors import InferenceResultsError
from inference_results.operations.dead_letters import Letter


class StillFails(InferenceResultsError):
    """This letter would not get further than it did, or did not: the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What would become of a letter, and what it is about, as far as it tells."""

    would_pass: bool
    why: str
    inference_id: str = ""
    endpoint_name: str = ""
    status: str = ""


class Route(Protocol):
    """Where the letters of a queue go."""

    def judge(self, letter: Letter) -> Verdict:
        """Changes nothing."""

    def redrive(self, letter: Letter) -> None:
        """Return when it was taken. Raises StillFails, or what ends the whole."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter; `left` is why it stays where it is, None if it was redriven."""

    message_id: str
    left: str | None = None


def redriven(
    letters: Iterable[Letter],
    route: Route,
    *,
    delete: Callable[[Letter], None],
    pause: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """One after another; `pause` is called behind each that was sent anywhere."""
    for letter in letters:
        verdict = route.judge(letter)
        if not verdict.would_pass:
            yield Outcome(letter.message_id, verdict.why)
            continue
        try:
            route.redrive(letter)
        except StillFails as why:
            yield Outcome(letter.message_id, str(why))
        else:
            delete(letter)
            yield Outcome(letter.message_id)
        pause()
