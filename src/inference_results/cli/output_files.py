"""Outputs, streamed to a file or to the standard output."""

import codecs
import sys
from pathlib import Path
from typing import BinaryIO, Final
from unicodedata import category

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from inference_results.cli.exit_codes import UsageError
from inference_results.cli.terminal import console, is_terminal
from inference_results.client import Client
from inference_results.client.flows.download import Sink

LARGE_BYTES: Final = 1024 * 1024
"""A smaller output is there before a bar would be seen."""

_LAYOUT: Final = "\t\n\r\f"


def save_to_file(client: Client, inference_id: str, endpoint: str | None, path: Path) -> int:
    """The size in bytes. The file is there whole or not at all."""
    with Progress(
        TextColumn("saving"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console(sys.stderr),
        disable=not is_terminal(sys.stderr),
        transient=True,
        redirect_stdout=False,
    ) as bar:
        task = bar.add_task("saving", total=None, visible=False)

        def show(done: int, total: int | None) -> None:
            visible = max(done, total or 0) >= LARGE_BYTES
            bar.update(task, completed=done, total=total, visible=visible)

        try:
            return client.save_output(inference_id, path, endpoint=endpoint, progress=show)
        except OSError as error:
            # Not the temporary file, which nobody has asked for.
            error.filename = str(path)
            raise


def write_to_stdout(
    client: Client, inference_id: str, endpoint: str | None, *, force: bool
) -> None:
    """Raises UsageError for bytes that would steer a terminal, unless forced."""
    whole = _Whole(sys.stdout.buffer)
    target = _TextOnly(whole) if is_terminal(sys.stdout) and not force else whole
    client.save_output(inference_id, target, endpoint=endpoint)
    sys.stdout.buffer.flush()


class _Whole:
    """Writes all of what it is given: a stream without a buffer (PYTHONUNBUFFERED) may not."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes, /) -> None:
        left = memoryview(data)
        while left:
            left = left[self._stream.write(left) :]


class _TextOnly:
    """Passes UTF-8 text on to a terminal; raises UsageError at anything else."""

    def __init__(self, target: Sink) -> None:
        self._target = target
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def write(self, data: bytes, /) -> None:
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError as error:
            raise _binary() from error
        if any(category(each) == "Cc" and each not in _LAYOUT for each in text):
            raise _binary()
        self._target.write(data)


def _binary() -> UsageError:
    return UsageError(
        "the output is not text: give --to FILE, pipe it, or --force it to a terminal"
    )
