"""What can be known of a response: from the notification itself, else from one read of S3."""

from dataclasses import dataclass, replace
from typing import Final

from inference_results.contract import Status
from inference_results.domain.record.errors import LocationRejected, ObjectDenied, ObjectMissing
from inference_results.domain.record.failure import classify
from inference_results.domain.record.location import Location, allowed_location
from inference_results.domain.record.result import Failure, Output, OutputError
from inference_results.domain.results.notification import ResultNotification
from inference_results.domain.results.ports import Objects, ObjectStart, Records

MAX_RECEIVES: Final = 3
"""S3 may answer "missing" or "denied" for a moment, so these are retried on earlier receives."""

FAILURE_PREVIEW_BYTES: Final = 1024

_WITHOUT_OUTPUT: Final = (Status.FAILED, Status.EXPIRED)
"""Of an unknown status the event's own locations tell what there may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRead:
    """Where it was looked, what begins there, and why it could not be read."""

    location: Location | None = None
    start: ObjectStart | None = None
    error: OutputError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResponse:
    """`output_prefixes` end in `/`; `inline_output_bytes` is the largest output kept whole.

    Both methods raise ObjectDenied while a retry may help, and Unavailable.
    """

    objects: Objects
    records: Records
    output_prefixes: tuple[str, ...]
    inline_output_bytes: int

    def output(
        self, result: ResultNotification, receive_count: int
    ) -> tuple[Output | None, OutputError | None]:
        """The output, if there is to be one, and why it could not be read, if so."""
        hinted = result.output_location and result.status not in _WITHOUT_OUTPUT
        if not (result.status == Status.COMPLETED or hinted):
            return None, None
        reading = self._read(
            result.output_location,
            result.response_body,
            limit=self.inline_output_bytes,
            receive_count=receive_count,
            required=True,
        )
        if reading.location is None and reading.start is None:
            return None, reading.error
        return self.described(reading, result.output_content_type), reading.error

    def look(self, location_text: str, limit: int | None = None) -> ObjectRead:
        """What is at a location now. Raises Unavailable."""
        return self._read(
            location_text,
            None,
            limit=self.inline_output_bytes if limit is None else limit,
            receive_count=MAX_RECEIVES,
            required=True,
        )

    def described(self, reading: ObjectRead, content_type: str | None = None) -> Output:
        """An output as it was read; `content_type` is what the model named."""
        output = Output(content_type=content_type)
        if location := reading.location:
            output = replace(
                output, location=location.uri, bucket=location.bucket, key=location.key
            )
        if start := reading.start:
            output = replace(
                output,
                version_id=start.version_id,
                etag=start.etag,
                size=start.size,
                content_type=output.content_type or start.content_type,
                inline=start.body if start.size <= self.inline_output_bytes else None,
            )
        return output

    def failure(
        self, result: ResultNotification, receive_count: int
    ) -> tuple[Failure | None, OutputError | None]:
        """The failure, if there was one, with the beginning of the model's answer."""
        failed = result.status in _WITHOUT_OUTPUT
        hinted = result.failure_reason or result.failure_location
        if result.status == Status.COMPLETED or not (failed or hinted):
            return None, None
        reading = self._read(
            result.failure_location
            or self.records.submitted_failure_location(
                result.inference_id, result.endpoint_name, result.event_time
            ),
            result.response_body if failed else None,
            limit=FAILURE_PREVIEW_BYTES,
            receive_count=receive_count,
            required=False,
        )
        failure = replace(
            classify(result.status, result.failure_reason),
            location=reading.location.uri if reading.location else None,
            body_preview=reading.start.body.decode(errors="replace") if reading.start else None,
        )
        return failure, reading.error

    def _read(
        self,
        location_text: str | None,
        response_body: bytes | None,
        *,
        limit: int,
        receive_count: int,
        required: bool,
    ) -> ObjectRead:
        """`required`: that there is no location, or nothing at it, is an error."""
        location = None
        if location_text is not None:
            try:
                location = allowed_location(location_text, self.output_prefixes)
            except LocationRejected as why:
                return ObjectRead(error=OutputError(why.code, why.message, location_text))
        if response_body is not None:
            start = ObjectStart(body=response_body[:limit], size=len(response_body))
            return ObjectRead(location=location, start=start)
        if location is None:
            missing = OutputError("LocationMissing", "the notification names no output location")
            return ObjectRead(error=missing if required else None)
        try:
            return ObjectRead(location=location, start=self.objects.read_start(location, limit))
        except ObjectDenied as why:
            if isinstance(why, ObjectMissing) and not required:
                return ObjectRead(location=location)
            if receive_count < MAX_RECEIVES:
                raise
            return ObjectRead(location=location, error=OutputError(why.code, why.message))
