"""In-memory implementations of the domain's ports."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from inference_results.domain.record.errors import ObjectMissing, Unprocessable
from inference_results.domain.record.location import Location
from inference_results.domain.record.result import Result
from inference_results.domain.results.ports import Disposition, Message, ObjectStart
from inference_results.domain.results.record_result import RecordResult
from inference_results.domain.results.response import ReadResponse

NOW = datetime(2026, 1, 25, 12, 0, tzinfo=UTC)
FAILURES = "s3://customer-outputs/failures/"
PREFIXES = ("s3://customer-outputs/async/", FAILURES)


@dataclass
class FakeObjects:
    """Objects by URI: their content, or the error that S3 raises."""

    stored: dict[str, bytes | Exception] = field(default_factory=dict)
    reads: list[tuple[str, int]] = field(default_factory=list)

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        self.reads.append((location.uri, limit))
        found = self.stored.get(location.uri, ObjectMissing("NoSuchKey", "not there"))
        if isinstance(found, Exception):
            raise found
        return ObjectStart(
            body=found[:limit],
            size=len(found),
            etag='"etag"',
            version_id="version-1",
            content_type="binary/octet-stream",
            last_modified=NOW,
        )


@dataclass
class FakeRecords:
    """A table that keeps the winning result of each id and endpoint."""

    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    promised: dict[tuple[str, str], str] = field(default_factory=dict)
    error: Exception | None = None

    def record(self, result: Result) -> Disposition:
        if self.error:
            raise self.error
        key = (result.inference_id, result.endpoint_name)
        stored = self.results.get(key)
        if stored and stored.event_order >= result.event_order:
            same = stored.event_order == result.event_order
            return Disposition.DUPLICATE if same else Disposition.SUPERSEDED
        self.results[key] = result
        return Disposition.RECORDED

    def promised_failure_location(
        self, inference_id: str, endpoint_name: str, event_time: str
    ) -> str | None:
        return self.promised.get((inference_id, endpoint_name))


@dataclass
class FakeRejections:
    """Rejected messages: body and error."""

    rejected: list[tuple[str, Unprocessable]] = field(default_factory=list)

    def reject(self, message: Message, error: Unprocessable) -> None:
        self.rejected.append((message.body, error))


@dataclass
class World:
    """RecordResult with fakes for all of its ports."""

    inline_output_bytes: int = 1024
    objects: FakeObjects = field(default_factory=FakeObjects)
    records: FakeRecords = field(default_factory=FakeRecords)
    rejections: FakeRejections = field(default_factory=FakeRejections)
    now: datetime = NOW

    def process(self, body: str, *, receive_count: int = 1) -> Disposition:
        record_result = RecordResult(
            read=self.read,
            records=self.records,
            rejections=self.rejections,
            retention=timedelta(days=90),
            now=lambda: self.now,
        )
        return record_result(message(body, receive_count)).disposition

    @property
    def read(self) -> ReadResponse:
        return ReadResponse(
            objects=self.objects,
            records=self.records,
            output_prefixes=PREFIXES,
            inline_output_bytes=self.inline_output_bytes,
        )

    @property
    def result(self) -> Result:
        """The only recorded result."""
        (result,) = self.records.results.values()
        return result


def message(body: str, receive_count: int = 1) -> Message:
    return Message(
        message_id="message-1",
        body=body,
        receive_count=receive_count,
        queue_arn="arn:aws:sqs:eu-west-1:123456789012:completed",
    )
