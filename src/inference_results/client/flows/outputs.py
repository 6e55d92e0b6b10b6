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
from inference_results.client.flows.content import parse_content
from inference_results.client.flows.download import BytesProgress, Download, Sink, open_target
from inference_results.client.flows.queries import get, send
from inference_results.client.flows.requests import GetOutput, OutputInline
from inference_results.client.flows.steps import Fetch, Operation, Sleep
from inference_results.client.flows.waits import wait
from inference_results.client.records import Inference
from inference_results.domain.record.errors import InferenceResultsError, LocationRejected
from inference_results.domain.record.location import parse_location

MAX_BYTES: Final = 64 * 1024 * 1024
"""The default limit for outputs that are read into memory."""

FETCH_RETRIES: Final = 3


def output(
    inference_id: str, endpoint: str | None, max_bytes: int | None, backoff: Backoff
) -> Operation[bytes]:
    content, _ = yield from _read_output(inference_id, endpoint, max_bytes, backoff)
    return content


def parsed_output(
    inference_id: str, endpoint: str | None, max_bytes: int | None, backoff: Backoff
) -> Operation[Any]:
    """Get the record first, because S3 often lacks the content type that the model returned."""
    inference = yield from get(inference_id, endpoint, backoff)
    content, stored_type = yield from _read_output_of(inference, max_bytes, backoff)
    model_type = inference.output.content_type if inference.output else None
    content_type = model_type or stored_type
    try:
        return parse_content(content, content_type)
    except ValueError as error:
        raise OutputMalformed(inference_id, content_type or "", content) from error


def save_output(
    inference_id: str,
    target: str | Path | Sink,
    endpoint: str | None,
    progress: BytesProgress | None,
    backoff: Backoff,
) -> Operation[int]:
    """Write an output to a path or a file, and return the number of bytes."""
    with open_target(target) as file:
        download = Download(inference_id, file.write, progress=progress)
        yield from _fetch(download, GetOutput(inference_id, endpoint), backoff)
    return download.received


def wait_for_output(
    response: Mapping[str, Any] | str,
    timeout: float,
    inference_id: str | None,
    endpoint: str | None,
    max_bytes: int | None,
    backoff: Backoff,
) -> Operation[bytes]:
    """Wait for an invocation and read its output.

    `response` is the response of invoke_endpoint_async, or its OutputLocation.
    """
    inference_id = inference_id or _inference_id(response)
    location = _output_location(response)
    inference = yield from wait(inference_id, timeout, endpoint, backoff, location).one()
    content, _ = yield from _read_output_of(inference, max_bytes, backoff)
    return content


def _inference_id(response: Mapping[str, Any] | str) -> str:
    if isinstance(response, str):
        raise InvalidRequest(
            "expected the id together with an output location: a failed inference writes nothing"
            " there, so the location alone cannot distinguish failed from slow",
            "inference_id",
        )
    try:
        return str(response["InferenceId"])
    except KeyError as error:
        raise InvalidRequest(
            "expected InferenceId in the response of invoke_endpoint_async", "response"
        ) from error


def _output_location(response: Mapping[str, Any] | str) -> str | None:
    """Return the location in the format of records, `s3://bucket/key`."""
    text = response if isinstance(response, str) else response.get("OutputLocation")
    try:
        return None if text is None else parse_location(text).uri
    except LocationRejected as error:
        raise InvalidRequest(f"expected an OutputLocation in S3: {error}", "response") from error


def _read_output_of(
    inference: Inference, max_bytes: int | None, backoff: Backoff
) -> Operation[tuple[bytes, str | None]]:
    """Return the output and its content type. Raises what `raise_for_status` raises."""
    inference.raise_for_status()
    known = inference.output
    if known and known.inline is not None:
        return known.inline, known.content_type
    found = yield from _read_output(
        inference.inference_id, inference.endpoint_name, max_bytes, backoff
    )
    return found


def _read_output(
    inference_id: str, endpoint: str | None, max_bytes: int | None, backoff: Backoff
) -> Operation[tuple[bytes, str | None]]:
    content = bytearray()
    download = Download(inference_id, content.extend, max_bytes=max_bytes)
    yield from _fetch(download, GetOutput(inference_id, endpoint), backoff)
    return bytes(content), download.content_type


def _fetch(download: Download, request: GetOutput, backoff: Backoff) -> Operation[None]:
    """Fetch an output. Each broken connection is resumed with a new URL.

    Raises ServiceUnavailable after FETCH_RETRIES retries in a row that received nothing.
    """
    failures = 0
    while True:
        located = yield from _locate(request, backoff)
        if isinstance(located, OutputInline):
            return download.receive_inline(located.content, located.content_type)
        received_before = download.received
        error: InferenceResultsError | None = yield Fetch(located.url, download)
        if error is None:
            return None
        failures = 1 if download.received > received_before else failures + 1
        if not isinstance(error, ServiceUnavailable) or failures > FETCH_RETRIES:
            raise error
        yield Sleep(backoff.delay(error, failures))


def _locate(request: GetOutput, backoff: Backoff) -> Operation[Any]:
    """Return OutputLink or OutputInline.

    For an inference that failed, raises its failure instead of NoOutput.
    """
    try:
        (located,) = yield from send([request], backoff)
    except NoOutput:
        inference = yield from get(request.inference_id, request.endpoint, backoff)
        inference.raise_for_status()
        raise
    return located
