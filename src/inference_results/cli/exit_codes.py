"""How a command ends: one exit code and one line for each error that is to be expected.

Any other exception is a bug, and keeps its traceback.
"""

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Final

import typer
from botocore.exceptions import BotoCoreError

from inference_results.cli.terminal import complain
from inference_results.client.errors import (
    AmbiguousInference,
    IdempotencyKeyReused,
    InferenceFailed,
    InvalidRequest,
    InvocationRejected,
    NoOutput,
    NotFound,
    ServiceUnavailable,
    WaitTimeout,
)
from inference_results.contract import Status
from inference_results.domain.record.errors import InferenceResultsError
from inference_results.operations.errors import (
    EndpointNotFound,
    MessageNotFound,
    UpdateFailed,
    UpdateTimeout,
)


class ExitCode(IntEnum):
    DONE = 0
    NOT_COMPLETED = 1
    USAGE = 2
    NOT_FOUND = 3
    TIMED_OUT = 4
    NO_ANSWER = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


MEANINGS: Final = {
    ExitCode.DONE: "done; of wait: every inference is Completed",
    ExitCode.NOT_COMPLETED: "an inference is Failed, Expired, Lost or otherwise not Completed;"
    " an update failed; of doctor: something was found; of dead-letters: something was left",
    ExitCode.USAGE: "the call is wrong, or refused by the service or by SageMaker",
    ExitCode.NOT_FOUND: "nothing is recorded under the id, or no longer; no such endpoint or"
    " message",
    ExitCode.TIMED_OUT: "not ended in time",
    ExitCode.NO_ANSWER: "no answer: not allowed, not reached, ambiguous, no output to be had,"
    " no endpoint to be wired",
    ExitCode.INTERRUPTED: "ended by Ctrl-C",
    ExitCode.PIPE_CLOSED: "whoever reads the output has gone",
}


_NAMED: Final = 10
"""Ids in one line, at most."""


class UsageError(InferenceResultsError):
    """The options do not go together."""


def exit_codes() -> str:
    """The table, as the help shows it."""
    lines = (f"{code.value:>5}  {meaning}" for code, meaning in MEANINGS.items())
    return "\b\nExit codes:\n" + "\n".join(lines)


@contextmanager
def expected_errors() -> Iterator[None]:
    """Ends the command with the exit code of an error, and one line about it."""
    try:
        yield
    except BrokenPipeError:
        _leave_the_pipe()
        raise typer.Exit(ExitCode.PIPE_CLOSED) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except (InferenceResultsError, BotoCoreError, OSError) as error:
        complain(_line(error))
        raise typer.Exit(exit_code(error)) from None


@contextmanager
def stopped_by_kill() -> Iterator[None]:
    """The signal of `kill` ends it as Ctrl-C does, so that what is under way is left in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_code(error: Exception) -> ExitCode:
    match error:
        case WaitTimeout() if _never_recorded(error):
            return ExitCode.NOT_FOUND
        case WaitTimeout() | UpdateTimeout():
            return ExitCode.TIMED_OUT
        case InferenceFailed() | NoOutput() | UpdateFailed():
            return ExitCode.NOT_COMPLETED
        case UsageError() | InvalidRequest() | IdempotencyKeyReused() | InvocationRejected():
            return ExitCode.USAGE
        case NotFound() | EndpointNotFound() | MessageNotFound():
            return ExitCode.NOT_FOUND
    return ExitCode.NO_ANSWER


def end_by_outcome(statuses: Iterable[str]) -> None:
    """Raises Exit unless all are Completed."""
    if any(status != Status.COMPLETED for status in statuses):
        raise typer.Exit(ExitCode.NOT_COMPLETED)


def _never_recorded(error: WaitTimeout) -> bool:
    return not error.seen and not isinstance(error.__cause__, ServiceUnavailable)


def _line(error: Exception) -> str:
    match error:
        case AmbiguousInference():
            return f"{error}; choose with --endpoint"
        case WaitTimeout():
            return _line_of_timeout(error)
        case InvocationRejected():
            return f"{error}: {error.reason}"
        case OSError(strerror=str(why), filename=str(name)):
            return f"{name}: {why}"
        case OSError(strerror=str(why)):
            return why
    return str(error)


def _line_of_timeout(error: WaitTimeout) -> str:
    line = str(error)
    if len(error.pending) > 1 or error.done:
        line += f": {_some(error.pending)}"
    return f"{line}; {error.__cause__}" if error.__cause__ else line


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _leave_the_pipe() -> None:
    # Python flushes the stream once more when it ends, and would complain.
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
