"""The use case: end what is overdue, and read again what could not be read.

For an inference whose notification never came, S3 is asked: the output, else the failure object,
else it is lost. Whatever the sweep writes, a notification that comes after all wins.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from inference_results.contract import Metric, Status
from inference_results.domain.reconciliation.candidates import (
    MALFORMED,
    OverdueRecord,
    UnreadOutput,
)
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.failure import classify
from inference_results.domain.record.order import unnotified_order
from inference_results.domain.record.result import Failure, Output, OutputError, Result, Source
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.response import (
    FAILURE_PREVIEW_BYTES,
    ObjectRead,
    ReadResponse,
)

READ_RETRY_PERIOD: Final = timedelta(days=7)
"""Once a record is so old, a look at its output is the last: at twice that age at most."""


class ReconcileOutcome(StrEnum):
    """What became of an overdue record. Counted as that metric."""

    COMPLETED = Metric.RECOVERED_COMPLETED
    FAILED = Metric.RECOVERED_FAILED
    LOST = Metric.LOST
    OUTPUT_READ = Metric.OUTPUT_READ
    OUTPUT_STILL_UNREADABLE = Metric.OUTPUT_STILL_UNREADABLE
    CHANGED = Metric.CHANGED_CONCURRENTLY
    """Its notification came in the meantime, or it was submitted anew."""
    LEFT = Metric.LEFT_FOR_NEXT_RUN
    """S3 or DynamoDB could not be reached, or throttled."""
    MALFORMED = Metric.MALFORMED_RECORDS
    """It is none of this service's records; whoever wrote it is to remove it."""


STATUSES: Final = {
    ReconcileOutcome.COMPLETED: Status.COMPLETED,
    ReconcileOutcome.FAILED: Status.FAILED,
    ReconcileOutcome.LOST: Status.LOST,
}
"""Of the results that a sweep writes."""


@dataclass(frozen=True, slots=True)
class ReconciledRecord:
    """Which record it was: unknown if it is malformed, or was left."""

    swept: ReconcileOutcome
    inference_id: str | None = None
    endpoint_name: str | None = None


class OverdueRecords(Protocol):
    """The table, as it is swept: pages of whole items, each read when it is wanted."""

    def in_progress(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Records whose deadline is before a time. Raises Unavailable."""

    def unread(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Completed records whose output is to be read again by then. Raises Unavailable."""


class ReconcileStore(Protocol):
    """The table, as the sweep writes to it."""

    def settle(self, outcome: Result, submission_order: str) -> bool:
        """Write it if the record is in progress with that submission. Raises Unavailable."""

    def fill_in(
        self, inference_id: str, endpoint_name: str, event_order: str, output: Output
    ) -> bool:
        """Write an output that can be read now, if the record is still that of the event."""

    def look_again(
        self, inference_id: str, endpoint_name: str, event_order: str, at: str | None
    ) -> None:
        """Name the time of the next look at its output; None for never. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRecords:
    """`slack` is how long after its deadline a record is left alone."""

    overdue: OverdueRecords
    records: ReconcileStore
    read: ReadResponse
    retention: timedelta
    slack: timedelta
    now: Callable[[], datetime]

    def __call__(self, pool: Executor, in_time: Callable[[], bool]) -> Iterator[ReconciledRecord]:
        """What became of each record, as soon as it is settled. Raises Unavailable.

        Works page by page and begins nothing once `in_time` says no: what is settled is overdue no
        more, so the next call goes on where this one ended.
        """
        now = self.now()
        for pages, settle in (
            (self.overdue.in_progress(timestamp(now - self.slack)), self._settle),
            (self.overdue.unread(timestamp(now)), self._read_again),
        ):
            for page in pages:
                settled = pool.map(_in_time(settle, in_time), page)
                yield from (each for each in settled if each is not None)
                if not in_time():
                    return

    def _settle(self, item: dict[str, Any]) -> ReconciledRecord:
        try:
            submitted = OverdueRecord.read(item)
        except MALFORMED:
            return ReconciledRecord(ReconcileOutcome.MALFORMED)
        outcome, swept = self._outcome(submitted)
        settled = self.records.settle(outcome, submitted.order)
        return ReconciledRecord(
            swept if settled else ReconcileOutcome.CHANGED,
            submitted.inference_id,
            submitted.endpoint_name,
        )

    def _outcome(self, submitted: OverdueRecord) -> tuple[Result, ReconcileOutcome]:
        output = self._found(submitted, submitted.output_location)
        if written_at := _written_at(output):
            described = self.read.described(output)
            ended = self._ended(submitted, Status.COMPLETED, written_at, output=described)
            return ended, ReconcileOutcome.COMPLETED
        failure = self._found(submitted, submitted.failure_location, FAILURE_PREVIEW_BYTES)
        if written_at := _written_at(failure):
            described_failure = _described_failure(failure)
            ended = self._ended(submitted, Status.FAILED, written_at, failure=described_failure)
            return ended, ReconcileOutcome.FAILED
        lost = self._ended(
            submitted,
            Status.LOST,
            submitted.deadline,
            failure=Failure(code=submitted.code_if_lost, retryable=True),
            output_error=_refusal(output) or _refusal(failure),
        )
        return lost, ReconcileOutcome.LOST

    def _found(
        self, submitted: OverdueRecord, location: str | None, limit: int | None = None
    ) -> ObjectRead:
        """What is there now, unless an earlier invocation wrote it there."""
        if location is None:
            return ObjectRead()
        reading = self.read.look(location, limit)
        written_at = _written_at(reading)
        if written_at and written_at < submitted.earliest:
            return ObjectRead(location=reading.location)
        return reading

    def _ended(
        self,
        submitted: OverdueRecord,
        status: Status,
        event_time: str,
        *,
        output: Output | None = None,
        failure: Failure | None = None,
        output_error: OutputError | None = None,
    ) -> Result:
        now = self.now()
        return Result(
            inference_id=submitted.inference_id,
            endpoint_name=submitted.endpoint_name,
            status=status,
            event_time=event_time,
            event_order=unnotified_order(
                event_time=event_time,
                status=status,
                location=output.location if output else None,
            ),
            recorded_at=timestamp(now),
            expires_at=int((now + self.retention).timestamp()),
            input_location=submitted.input_location,
            content_type=submitted.content_type,
            custom_attributes=submitted.custom_attributes,
            output=output,
            output_error=output_error,
            failure=failure,
            source=Source.RECONCILIATION,
        )

    def _read_again(self, item: dict[str, Any]) -> ReconciledRecord:
        try:
            unread = UnreadOutput.read(item)
        except MALFORMED:
            return ReconciledRecord(ReconcileOutcome.MALFORMED)
        return ReconciledRecord(self._looked_at(unread), unread.inference_id, unread.endpoint_name)

    def _looked_at(self, unread: UnreadOutput) -> ReconcileOutcome:
        which = (unread.inference_id, unread.endpoint_name, unread.event_order)
        reading = self.read.look(unread.location)
        if reading.start is not None:
            found = self.read.described(reading, unread.content_type)
            filled_in = self.records.fill_in(*which, found)
            return ReconcileOutcome.OUTPUT_READ if filled_in else ReconcileOutcome.CHANGED
        self.records.look_again(*which, self._next_look(unread.recorded_at))
        return ReconcileOutcome.OUTPUT_STILL_UNREADABLE

    def _next_look(self, recorded_at: datetime) -> str | None:
        """After as long again as has passed: minutes at first, days in the end."""
        now = self.now()
        age = now - recorded_at
        return timestamp(now + age) if age < READ_RETRY_PERIOD else None


def _in_time(
    settle: Callable[[dict[str, Any]], ReconciledRecord], in_time: Callable[[], bool]
) -> Callable[[dict[str, Any]], ReconciledRecord | None]:
    def settle_in_time(item: dict[str, Any]) -> ReconciledRecord | None:
        if not in_time():
            return None
        try:
            return settle(item)
        except Unavailable:
            return ReconciledRecord(ReconcileOutcome.LEFT)

    return settle_in_time


def _written_at(reading: ObjectRead) -> str | None:
    written = reading.start.last_modified if reading.start else None
    return timestamp(written) if written else None


def _refusal(reading: ObjectRead) -> OutputError | None:
    """Why S3 was not asked, or would not say: that nothing is there is what Lost means."""
    if reading.error is None or reading.error.code in ("NoSuchKey", "LocationMissing"):
        return None
    return reading.error


def _described_failure(reading: ObjectRead) -> Failure:
    """As much as the container's answer tells; SageMaker's reason was in the notification."""
    assert reading.start
    assert reading.location
    preview = reading.start.body.decode(errors="replace")
    return replace(
        classify(Status.FAILED, preview),
        reason=None,
        reason_truncated=None,
        location=reading.location.uri,
        body_preview=preview,
    )
