"""Exit codes, and one-line messages for expected errors.

Any other exception is a bug and keeps its traceback.
"""

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from textwrap import fill
from typing import Final

import typer
from botocore.exceptions import BotoCoreError

from inference_results.cli.terminal import print_error
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
    SUCCESS = 0
    NOT_COMPLETED = 1
    USAGE = 2
    NOT_FOUND = 3
    TIMEOUT = 4
    ERROR = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


MEANINGS: Final = {
    ExitCode.SUCCESS: "success; for wait: every inference is Completed",
    ExitCode.NOT_COMPLETED: "an inference is Failed, Expired, Lost or otherwise not Completed;"
    " an endpoint update failed; doctor has findings; dead letters remain",
    ExitCode.USAGE: "invalid usage, or the service or SageMaker rejected the request",
    ExitCode.NOT_FOUND: "no record exists for this id, or it has expired; no such endpoint or"
    " message",
    ExitCode.TIMEOUT: "timeout: the inference or the endpoint update did not end in time",
    ExitCode.ERROR: "any other error: access denied, service unavailable, ambiguous id, output"
    " unavailable, endpoint cannot be attached or detached",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    ExitCode.PIPE_CLOSED: "the reader closed the pipe",
}


_HELP_WIDTH: Final = 76
_MAX_LISTED_IDS: Final = 10


class UsageError(InferenceResultsError):
    """The options do not go together, or one is missing."""


def exit_code_table() -> str:
    """Format the table for the help. `\\b` keeps click from rewrapping it."""
    rows = (
        fill(meaning, _HELP_WIDTH, initial_indent=f"{code:>5}  ", subsequent_indent=" " * 7)
        for code, meaning in MEANINGS.items()
    )
    return "\b\nExit codes:\n" + "\n".join(rows)


@contextmanager
def handle_errors() -> Iterator[None]:
    """Turn an expected error into a one-line message and an exit code."""
    try:
        yield
    except BrokenPipeError:
        _discard_stdout()
        raise typer.Exit(ExitCode.PIPE_CLOSED) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except (InferenceResultsError, BotoCoreError, OSError) as error:
        print_error(_message(error))
        raise typer.Exit(exit_code(error)) from None


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM too, so that `kill` runs the same cleanup as Ctrl-C."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def exit_code(error: Exception) -> ExitCode:
    match error:
        case WaitTimeout() if _never_recorded(error):
            return ExitCode.NOT_FOUND
        case WaitTimeout() | UpdateTimeout():
            return ExitCode.TIMEOUT
        case InferenceFailed() | NoOutput() | UpdateFailed():
            return ExitCode.NOT_COMPLETED
        case UsageError() | InvalidRequest() | IdempotencyKeyReused() | InvocationRejected():
            return ExitCode.USAGE
        case NotFound() | EndpointNotFound() | MessageNotFound():
            return ExitCode.NOT_FOUND
    return ExitCode.ERROR


def exit_unless_completed(statuses: Iterable[str]) -> None:
    if any(status != Status.COMPLETED for status in statuses):
        raise typer.Exit(ExitCode.NOT_COMPLETED)


def _never_recorded(error: WaitTimeout) -> bool:
    return not error.seen and not isinstance(error.__cause__, ServiceUnavailable)


def _message(error: Exception) -> str:
    match error:
        case AmbiguousInference():
            return f"{error}; select one with --endpoint"
        case WaitTimeout():
            return _timeout_message(error)
        case InvocationRejected():
            return f"{error}: {error.reason}"
        case OSError(strerror=str(reason), filename=str(name)):
            return f"{name}: {reason}"
        case OSError(strerror=str(reason)):
            return reason
    return str(error)


def _timeout_message(error: WaitTimeout) -> str:
    message = str(error)
    if len(error.pending) > 1 or error.done:
        message += f"; pending: {_shortened_list(error.pending)}"
    return f"{message}; {error.__cause__}" if error.__cause__ else message


def _shortened_list(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_MAX_LISTED_IDS]) + (", ..." if len(ids) > _MAX_LISTED_IDS else "")


def _discard_stdout() -> None:
    # Python flushes standard output again at exit, and would report the broken pipe.
    with Path(os.devnull).open("wb") as devnull:
        os.dup2(devnull.fileno(), sys.stdout.fileno())
