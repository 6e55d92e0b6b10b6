"""Download an output over one or more connections.

A download resumes where its connection broke, and a partial output is never returned.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from inference_results.client.errors import (
    OutputRemoved,
    OutputTooLarge,
    OutputUnavailable,
    ServiceUnavailable,
)
from inference_results.domain.record.errors import InferenceResultsError

_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+)")
_ERROR_CODE: Final = re.compile(rb"<Code>([A-Za-z.]{1,64})</Code>")
_REMOVED_CODES: Final = frozenset(
    {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "MethodNotAllowed"}
)
"""S3 returns MethodNotAllowed for a version that is a delete marker."""
_TRANSIENT_CODES: Final = frozenset({"ExpiredToken", "RequestTimeout"})
"""Client errors that a new URL resolves."""

BytesProgress = Callable[[int, int | None], None]


class Sink(Protocol):
    """A binary file, or any object with its `write`."""

    def write(self, data: bytes, /) -> object: ...


class Download:
    """Checks the received bytes and passes them to `write`. `received` and `total` are in bytes."""

    def __init__(
        self,
        inference_id: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int | None = None,
        progress: BytesProgress | None = None,
    ) -> None:
        self.received = 0
        self.total: int | None = None
        self.content_type: str | None = None
        self._inference_id = inference_id
        self._write = write
        self._max_bytes = max_bytes
        self._progress = progress
        self._etag: str | None = None
        self._to_skip = 0

    @property
    def request_headers(self) -> dict[str, str]:
        """Headers that request the stored bytes unchanged, from where the last connection broke."""
        headers = {"accept-encoding": "identity"}
        if self.received:
            headers["range"] = f"bytes={self.received}-"
        return headers

    def start(self, headers: Mapping[str, str]) -> None:
        """Check the response headers of a connection. Raises OutputTooLarge or OutputRemoved."""
        length = headers.get("content-length")
        start, self.total = 0, int(length) if length else None
        if content_range := _RANGE.fullmatch(headers.get("content-range", "")):
            start, self.total = int(content_range[1]), int(content_range[2])
        etag = headers.get("etag")
        if self.received and (etag != self._etag or start > self.received):
            raise OutputRemoved(self._inference_id)
        self._etag = etag
        self._to_skip = self.received - start
        self.content_type = headers.get("content-type")
        self._check_size(self.total or 0)

    def receive(self, chunk: bytes) -> None:
        """Write the new bytes of a chunk. Raises OutputTooLarge."""
        new_bytes = chunk[self._to_skip :]
        self._to_skip = max(self._to_skip - len(chunk), 0)
        self._check_size(self.received + len(new_bytes))
        self._write(new_bytes)
        self.received += len(new_bytes)

    def report_progress(self) -> None:
        if self._progress:
            self._progress(self.received, self.total)

    def finish(self) -> None:
        """End a connection. Raises ServiceUnavailable if bytes are missing."""
        if self.total is not None and self.received != self.total:
            raise ServiceUnavailable(
                f"the connection broke after {self.received} of {self.total} bytes"
            )

    def receive_inline(self, content: bytes, content_type: str | None) -> None:
        """Write a whole output at once. Raises OutputTooLarge."""
        self.total = len(content)
        self.content_type = content_type
        self.receive(content)
        self.report_progress()

    def parse_error(self, status: int, body: bytes) -> InferenceResultsError:
        """Return the error for a response of S3 other than 200 and 206."""
        found = _ERROR_CODE.search(body)
        code = found[1].decode() if found else f"HTTP {status}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _TRANSIENT_CODES:
            return ServiceUnavailable(f"S3 responded with {status} ({code})", status)
        if status == HTTPStatus.NOT_FOUND or code in _REMOVED_CODES:
            return OutputRemoved(self._inference_id)
        return OutputUnavailable(self._inference_id, code, "the output cannot be read")

    def _check_size(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise OutputTooLarge(self._inference_id, self._max_bytes, self.total)


@contextmanager
def open_target(target: str | Path | Sink) -> Iterator[Sink]:
    """Open a path for writing, or use an open file as it is.

    A regular file is replaced when everything is written. Pipes and devices are written directly.
    """
    if not isinstance(target, str | Path):
        yield target
    elif Path(target).exists() and not Path(target).is_file():
        with Path(target).open("wb") as file:
            yield file
    else:
        # Keep a symbolic link and replace the file that it points to.
        with _replace_atomically(Path(os.path.realpath(target))) as file:
            yield file


@contextmanager
def _replace_atomically(path: Path) -> Iterator[Sink]:
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            if path.exists():
                shutil.copymode(path, part)
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
