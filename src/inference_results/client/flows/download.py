"""One output as it comes in, possibly over several connections.

A connection that breaks is taken up where it broke: what arrived stays, and is never taken for the
whole.
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
_GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "MethodNotAllowed"})
"""S3 says MethodNotAllowed of a version that is a delete marker."""
_PASSING: Final = frozenset({"ExpiredToken", "RequestTimeout"})
"""Besides the 5xx: mended by a new URL."""

Progress = Callable[[int, int | None], None]


class Sink(Protocol):
    """A binary file, or whatever takes bytes as one does."""

    def write(self, data: bytes, /) -> object: ...


class Download:
    """Checks what comes in, and hands it to `write`. `received` and `total` are in bytes."""

    def __init__(
        self,
        inference_id: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int | None = None,
        progress: Progress | None = None,
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
        """Asks for the stored bytes as they are, from where the last connection broke."""
        headers = {"accept-encoding": "identity"}
        if self.received:
            headers["range"] = f"bytes={self.received}-"
        return headers

    def begin(self, headers: Mapping[str, str]) -> None:
        """Before the first byte of a connection. Raises OutputTooLarge or OutputRemoved."""
        length = headers.get("content-length")
        start, self.total = 0, int(length) if length else None
        if found := _RANGE.fullmatch(headers.get("content-range", "")):
            start, self.total = int(found[1]), int(found[2])
        etag = headers.get("etag")
        if self.received and (etag != self._etag or start > self.received):
            raise OutputRemoved(self._inference_id)
        self._etag = etag
        self._to_skip = self.received - start
        self.content_type = headers.get("content-type")
        self._refuse_beyond_limit(self.total or 0)

    def receive(self, chunk: bytes) -> None:
        """Raises OutputTooLarge where the size was not announced."""
        fresh = chunk[self._to_skip :]
        self._to_skip = max(self._to_skip - len(chunk), 0)
        self._refuse_beyond_limit(self.received + len(fresh))
        self._write(fresh)
        self.received += len(fresh)

    def report(self) -> None:
        if self._progress:
            self._progress(self.received, self.total)

    def end(self) -> None:
        """After the last byte of a connection. Raises ServiceUnavailable if some are missing."""
        if self.total is not None and self.received != self.total:
            raise ServiceUnavailable(
                f"the connection broke after {self.received} of {self.total} bytes"
            )

    def whole(self, content: bytes, content_type: str | None) -> None:
        """The output in one piece. Raises OutputTooLarge."""
        self.total = len(content)
        self.content_type = content_type
        self.receive(content)
        self.report()

    def refused(self, status: int, body: bytes) -> InferenceResultsError:
        """What an answer of S3 other than 200 and 206 means."""
        found = _ERROR_CODE.search(body)
        code = found[1].decode() if found else f"HTTP {status}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _PASSING:
            return ServiceUnavailable(f"the output's storage answers {status} ({code})", status)
        if status == HTTPStatus.NOT_FOUND or code in _GONE:
            return OutputRemoved(self._inference_id)
        return OutputUnavailable(self._inference_id, code, "the output cannot be read")

    def _refuse_beyond_limit(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise OutputTooLarge(self._inference_id, self._max_bytes, self.total)


@contextmanager
def destination(target: str | Path | Sink) -> Iterator[Sink]:
    """Where to write: the file that is given, or one that becomes `target` when all is written.

    A path that names a pipe or a device is written to directly, and not replaced.
    """
    if not isinstance(target, str | Path):
        yield target
    elif Path(target).exists() and not Path(target).is_file():
        with Path(target).open("wb") as file:
            yield file
    else:
        # A link stays: what it names is replaced.
        with _replacing(Path(os.path.realpath(target))) as file:
            yield file


@contextmanager
def _replacing(path: Path) -> Iterator[Sink]:
    """A file beside `path` until all is written, so that a reader sees all of it or nothing."""
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
