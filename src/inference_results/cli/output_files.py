"""Stream an output to a file or to standard output."""

import codecs
import sys
from pathlib import Path
from typing import BinaryIO, Final
from unicodedata import category

from rich.progress import BarColumn, DownloadColumn, TransferSpeedColumn

from inference_results.cli.exit_codes import UsageError
from inference_results.cli.progress import progress_bar
from inference_results.cli.terminal import is_terminal
from inference_results.client import Client
from inference_results.client.flows.download import Sink

LARGE_BYTES: Final = 1024 * 1024
"""Smaller outputs download too fast for a progress bar."""

_ALLOWED_CONTROLS: Final = "\t\n\r\f"


def save_to_file(client: Client, inference_id: str, endpoint: str | None, path: Path) -> int:
    """Save the output to `path`, completely or not at all, and return its size in bytes."""
    with progress_bar(BarColumn(), DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task("saving", total=None, visible=False)

        def show(done: int, total: int | None) -> None:
            visible = max(done, total or 0) >= LARGE_BYTES
            bar.update(task, completed=done, total=total, visible=visible)

        try:
            return client.save_output(inference_id, path, endpoint=endpoint, progress=show)
        except OSError as error:
            # Name the file that the user passed, not the temporary file.
            error.filename = str(path)
            raise


def write_to_stdout(
    client: Client, inference_id: str, endpoint: str | None, *, force: bool
) -> None:
    """Write the output to standard output.

    Raises UsageError if standard output is a terminal and the output is binary or contains control
    characters, unless `force` is set.
    """
    stdout = _CompleteWriter(sys.stdout.buffer)
    target = _TextWriter(stdout) if is_terminal(sys.stdout) and not force else stdout
    client.save_output(inference_id, target, endpoint=endpoint)
    sys.stdout.buffer.flush()


class _CompleteWriter:
    """Writes everything: an unbuffered stream (PYTHONUNBUFFERED) can accept a part of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes, /) -> None:
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[self._stream.write(remaining) :]


class _TextWriter:
    """Passes on UTF-8 text without control characters; raises UsageError for anything else."""

    def __init__(self, target: Sink) -> None:
        self._target = target
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def write(self, data: bytes, /) -> None:
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError as error:
            raise _not_text() from error
        if any(category(each) == "Cc" and each not in _ALLOWED_CONTROLS for each in text):
            raise _not_text()
        self._target.write(data)


def _not_text() -> UsageError:
    return UsageError(
        "the output is not text: save it with --to FILE, pipe it,"
        " or write it to the terminal with --force"
    )
