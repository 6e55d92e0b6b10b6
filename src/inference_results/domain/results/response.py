"""Read a model's response: from the notification if it includes one, else from S3."""

from dataclasses import dataclass, replace
from typing import Final

from inference_results.contract import Status
from inference_results.domain.record.errors import LocationRejected, ObjectDenied, ObjectMissing
from inference_results.domain.record.failure import classify
from inference_results.domain.record.location import Location, allowed_location
from inference_results.domain.record.result import (
    ENDED_WITHOUT_OUTPUT,
    Failure,
    Output,
    OutputError,
)
from inference_results.domain.results.notification import ResultNotification
from inference_results.domain.results.ports import Objects, ObjectStart, Records

MAX_RECEIVES: Final = 3
"""From this receive of a message on, record it even if S3 returns "missing" or "denied".

Before, let SQS deliver it again: both can be temporary.
"""

FAILURE_PREVIEW_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRead:
    """One attempt to read an object: its start, or an error. Neither if no object had to exist."""

    location: Location | None = None
    start: ObjectStart | None = None
    error: OutputError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResponse:
    """Reads outputs and failure objects.

    `output_prefixes` end in `/`. Outputs of up to `inline_output_bytes` are kept in the record.
    """

    objects: Objects
    records: Records
    output_prefixes: tuple[str, ...]
    inline_output_bytes: int

    def output(
        self, notification: ResultNotification, receive_count: int
    ) -> tuple[Output | None, OutputError | None]:
        """The output of an inference, if it has one, and why it could not be read.

        Raises Unavailable, or ObjectDenied while a retry can help.
        """
        # With an unknown status, the notification's locations show what the inference has.
        expected = notification.status == Status.COMPLETED or (
            notification.output_location and notification.status not in ENDED_WITHOUT_OUTPUT
        )
        if not expected:
            return None, None
        read = self._read(
            notification.output_location,
            notification.response_body,
            limit=self.inline_output_bytes,
            receive_count=receive_count,
            required=True,
        )
        if read.location is None and read.start is None:
            return None, read.error
        return self.to_output(read, notification.output_content_type), read.error

    def failure(
        self, notification: ResultNotification, receive_count: int
    ) -> tuple[Failure | None, OutputError | None]:
        """The failure of an inference, if it failed, and why its object could not be read.

        Raises Unavailable, or ObjectDenied while a retry can help.
        """
        failed = notification.status in ENDED_WITHOUT_OUTPUT
        has_failure = notification.failure_reason or notification.failure_location
        if notification.status == Status.COMPLETED or not (failed or has_failure):
            return None, None
        read = self._read(
            notification.failure_location
            or self.records.promised_failure_location(
                notification.inference_id, notification.endpoint_name, notification.event_time
            ),
            notification.response_body if failed else None,
            limit=FAILURE_PREVIEW_BYTES,
            receive_count=receive_count,
            required=False,
        )
        failure = replace(
            classify(notification.status, notification.failure_reason),
            location=read.location.uri if read.location else None,
            body_preview=read.start.body.decode(errors="replace") if read.start else None,
        )
        return failure, read.error

    def read_object(self, location_text: str, limit: int | None = None) -> ObjectRead:
        """Read the object that is at a location now. Raises Unavailable.

        `limit` is in bytes; the default is the largest inline output.
        """
        return self._read(
            location_text,
            None,
            limit=self.inline_output_bytes if limit is None else limit,
            receive_count=MAX_RECEIVES,
            required=True,
        )

    def to_output(self, read: ObjectRead, content_type: str | None = None) -> Output:
        """Convert an object read to an output. `content_type` wins over that of the object."""
        output = Output(content_type=content_type)
        if location := read.location:
            output = replace(
                output, location=location.uri, bucket=location.bucket, key=location.key
            )
        if start := read.start:
            output = replace(
                output,
                version_id=start.version_id,
                etag=start.etag,
                size=start.size,
                content_type=output.content_type or start.content_type,
                inline=start.body if start.size <= self.inline_output_bytes else None,
            )
        return output

    def _read(
        self,
        location_text: str | None,
        response_body: bytes | None,
        *,
        limit: int,
        receive_count: int,
        required: bool,
    ) -> ObjectRead:
        """`required`: a missing location, or a missing object, is an error."""
        location = None
        if location_text is not None:
            try:
                location = allowed_location(location_text, self.output_prefixes)
            except LocationRejected as error:
                return ObjectRead(error=OutputError(error.code, error.message, location_text))
        if response_body is not None:
            start = ObjectStart(body=response_body[:limit], size=len(response_body))
            return ObjectRead(location=location, start=start)
        if location is None:
            missing = OutputError("LocationMissing", "the notification names no output location")
            return ObjectRead(error=missing if required else None)
        try:
            return ObjectRead(location=location, start=self.objects.read_start(location, limit))
        except ObjectDenied as error:
            if isinstance(error, ObjectMissing) and not required:
                return ObjectRead(location=location)
            if receive_count < MAX_RECEIVES:
                raise
            return ObjectRead(location=location, error=OutputError(error.code, error.message))
