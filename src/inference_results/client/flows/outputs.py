"""Operations that read outputs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from inference_results.client.errors import (
    InvalidRequest,
    NoOutput,
    OutputMalformed,
    ServiceUnavailable,
)
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.content import parsed
from inference_results.client.flows.download import Download, Progress, Sink, destination
from inference_results.client.flows.queries import get, send
from inference_results.client.flows.requests import GetOutput, OutputInline
from inference_results.client.flows.steps import Fetch, Operation, Sleep
from inference_results.client.flows.waits import wait
from inference_results.client.records import Inference
from inference_results.domain.record.errors import InferenceResultsError, LocationRejected
from inference_results.domain.record.location import parse_location

MAX_BYTES: Final = 64 * 1024 * 1024
"""What is taken into memory unless the caller says otherwise."""

FETCH_RETRIES: Final = 3


def output(
    inference_id: str, endpoint: str | None, max_bytes: int | None, pace: Backoff
) -> Operation[bytes]:
    content, _ = yield from _content(inference_id, endpoint, max_bytes, pace)
    return content


def parsed_output(
    inference_id: str, endpoint: str | None, max_bytes: int | None, pace: Backoff
) -> Operation[Any]:
    """The record is asked for first: S3 often does not know the type that the model named."""
    inference = yield from get(inference_id, endpoint, pace)
    content, seen_type = yield from _content_of(inference, max_bytes, pace)
    named_type = inference.output.content_type if inference.output else None
    content_type = named_type or seen_type
    try:
        return parsed(content, content_type)
    except ValueError as error:
        raise OutputMalformed(inference_id, content_type or "", content) from error


def save_output(
    inference_id: str,
    target: str | Path | Sink,
    endpoint: str | None,
    progress: Progress | None,
    pace: Backoff,
) -> Operation[int]:
    """The number of bytes written."""
    with destination(target) as file:
        download = Download(inference_id, file.write, progress=progress)
        yield from _fetched(download, GetOutput(inference_id, endpoint), pace)
    return download.received


def wait_for_output(
    response: Mapping[str, Any] | str,
    timeout: float,
    inference_id: str | None,
    endpoint: str | None,
    max_bytes: int | None,
    pace: Backoff,
) -> Operation[bytes]:
    """`response`: what invoke_endpoint_async returned, or only its OutputLocation."""
    waited_for = inference_id or _inference_id(response)
    location = _output_location(response)
    inference = yield from wait(waited_for, timeout, endpoint, pace, location).only()
    content, _ = yield from _content_of(inference, max_bytes, pace)
    return content


def _inference_id(response: Mapping[str, Any] | str) -> str:
    if isinstance(response, str):
        raise InvalidRequest(
            "expected with an output location: a failed inference writes nothing there, and its"
            " notice does not name it, so a location alone cannot tell failed from slow",
            "inference_id",
        )
    try:
        return str(response["InferenceId"])
    except KeyError as error:
        raise InvalidRequest("expected InferenceId in it", "response") from error


def _output_location(response: Mapping[str, Any] | str) -> str | None:
    """As records have it: `s3://bucket/key`."""
    text = response if isinstance(response, str) else response.get("OutputLocation")
    try:
        return None if text is None else parse_location(text).uri
    except LocationRejected as error:
        raise InvalidRequest(f"expected an OutputLocation in S3: {error}", "response") from error


def _content_of(
    inference: Inference, max_bytes: int | None, pace: Backoff
) -> Operation[tuple[bytes, str | None]]:
    """Raises InferenceFailed and its kin if the inference ended without an output."""
    inference.raise_for_status()
    known = inference.output
    if known and known.inline is not None:
        return known.inline, known.content_type
    found = yield from _content(inference.inference_id, inference.endpoint_name, max_bytes, pace)
    return found


def _content(
    inference_id: str, endpoint: str | None, max_bytes: int | None, pace: Backoff
) -> Operation[tuple[bytes, str | None]]:
    content = bytearray()
    download = Download(inference_id, content.extend, max_bytes=max_bytes)
    yield from _fetched(download, GetOutput(inference_id, endpoint), pace)
    return bytes(content), download.content_type


def _fetched(download: Download, question: GetOutput, pace: Backoff) -> Operation[None]:
    """A broken connection is taken up again, each time under a new URL.

    Raises ServiceUnavailable when several in a row have brought nothing.
    """
    failures = 0
    while True:
        place = yield from _place(question, pace)
        if isinstance(place, OutputInline):
            return download.whole(place.content, place.content_type)
        received = download.received
        error: InferenceResultsError | None = yield Fetch(place.url, download)
        if error is None:
            return None
        failures = 1 if download.received > received else failures + 1
        if not isinstance(error, ServiceUnavailable) or failures > FETCH_RETRIES:
            raise error
        yield Sleep(pace.pause_after(error, failures))


def _place(question: GetOutput, pace: Backoff) -> Operation[Any]:
    """OutputAt or OutputInline. Raises InferenceFailed and its kin rather than NoOutput."""
    try:
        (place,) = yield from send([question], pace)
    except NoOutput:
        inference = yield from get(question.inference_id, question.endpoint, pace)
        inference.raise_for_status()
        raise
    return place
