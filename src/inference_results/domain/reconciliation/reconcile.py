"""End overdue records, and read unread outputs again.

An overdue record becomes Completed if its output is in S3, Failed if its failure object is, and
Lost otherwise. A notification that arrives later wins over any of these.

See docs/decisions/0012-what-reconciliation-decides.md.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from inference_results.contract import Metric, Status
from inference_results.domain.reconciliation.candidates import (
    MALFORMED_ITEM_ERRORS,
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
"""A failed read of the output of a record older than this is the last one."""


class ReconcileOutcome(StrEnum):
    """How a record was reconciled. Each is counted by its metric."""

    COMPLETED = Metric.RECOVERED_COMPLETED
    FAILED = Metric.RECOVERED_FAILED
    LOST = Metric.LOST
    OUTPUT_READ = Metric.OUTPUT_READ
    OUTPUT_STILL_UNREADABLE = Metric.OUTPUT_STILL_UNREADABLE
    CHANGED = Metric.CHANGED_CONCURRENTLY
    """Its notification arrived at the same time, or its id was submitted again."""
    LEFT = Metric.LEFT_FOR_NEXT_RUN
    """S3 or DynamoDB was unavailable."""
    MALFORMED = Metric.MALFORMED_RECORDS
    """This service did not write the record. Whoever wrote it has to delete it."""


RESULT_STATUSES: Final = {
    ReconcileOutcome.COMPLETED: Status.COMPLETED,
    ReconcileOutcome.FAILED: Status.FAILED,
    ReconcileOutcome.LOST: Status.LOST,
}
"""The status of the result, for each outcome that writes one."""


@dataclass(frozen=True, slots=True)
class ReconciledRecord:
    """How a record was reconciled. Its id and endpoint are None if it is malformed or was left."""

    outcome: ReconcileOutcome
    inference_id: str | None = None
    endpoint_name: str | None = None


class OverdueRecords(Protocol):
    """The records to reconcile, as pages of complete items. Each page is read when it is needed."""

    def in_progress(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Records in progress with a deadline before a time. Raises Unavailable."""

    def unread(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Records whose unread output is due for a read before a time. Raises Unavailable."""


class ReconcileStore(Protocol):
    """The inferences table."""

    def finish(self, result: Result, submission_order: str) -> bool:
        """Write a result if the record is still in progress with the same submission.

        Raises Unavailable.
        """

    def add_output(
        self, inference_id: str, endpoint_name: str, event_order: str, output: Output
    ) -> bool:
        """Write an output if the record still has the same result. Raises Unavailable."""

    def schedule_read(
        self, inference_id: str, endpoint_name: str, event_order: str, at: str | None
    ) -> None:
        """Schedule the next read of an output; None for never. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRecords:
    """`slack`: how long after its deadline a record becomes overdue."""

    overdue: OverdueRecords
    records: ReconcileStore
    read: ReadResponse
    retention: timedelta
    slack: timedelta
    now: Callable[[], datetime]

    def __call__(self, pool: Executor, has_time: Callable[[], bool]) -> Iterator[ReconciledRecord]:
        """Yield each record when it is reconciled. Raises Unavailable.

        Starts no record once `has_time` returns False. Reconciled records are no longer overdue,
        so the next call continues where this one ended.
        """
        now = self.now()
        for pages, reconcile in (
            (self.overdue.in_progress(timestamp(now - self.slack)), self._finish),
            (self.overdue.unread(timestamp(now)), self._read_again),
        ):
            for page in pages:
                reconciled = pool.map(_while_time(reconcile, has_time), page)
                yield from (each for each in reconciled if each is not None)
                if not has_time():
                    return

    def _finish(self, item: dict[str, Any]) -> ReconciledRecord:
        try:
            overdue = OverdueRecord.from_item(item)
        except MALFORMED_ITEM_ERRORS:
            return ReconciledRecord(ReconcileOutcome.MALFORMED)
        result, outcome = self._find_result(overdue)
        written = self.records.finish(result, overdue.order)
        return ReconciledRecord(
            outcome if written else ReconcileOutcome.CHANGED,
            overdue.inference_id,
            overdue.endpoint_name,
        )

    def _find_result(self, overdue: OverdueRecord) -> tuple[Result, ReconcileOutcome]:
        output = self._read_object(overdue, overdue.output_location)
        if written_at := _written_at(output):
            completed = self._result(
                overdue, Status.COMPLETED, written_at, output=self.read.to_output(output)
            )
            return completed, ReconcileOutcome.COMPLETED
        failure = self._read_object(overdue, overdue.failure_location, FAILURE_PREVIEW_BYTES)
        if written_at := _written_at(failure):
            failed = self._result(
                overdue, Status.FAILED, written_at, failure=_failure_from_object(failure)
            )
            return failed, ReconcileOutcome.FAILED
        lost = self._result(
            overdue,
            Status.LOST,
            overdue.deadline,
            failure=Failure(code=overdue.code_if_lost, retryable=True),
            output_error=_unexpected_error(output) or _unexpected_error(failure),
        )
        return lost, ReconcileOutcome.LOST

    def _read_object(
        self, overdue: OverdueRecord, location: str | None, limit: int | None = None
    ) -> ObjectRead:
        """Read an object, unless an earlier invocation wrote it."""
        if location is None:
            return ObjectRead()
        read = self.read.read_object(location, limit)
        written_at = _written_at(read)
        if written_at and written_at < overdue.earliest:
            return ObjectRead(location=read.location)
        return read

    def _result(
        self,
        overdue: OverdueRecord,
        status: Status,
        event_time: str,
        *,
        output: Output | None = None,
        failure: Failure | None = None,
        output_error: OutputError | None = None,
    ) -> Result:
        now = self.now()
        return Result(
            inference_id=overdue.inference_id,
            endpoint_name=overdue.endpoint_name,
            status=status,
            event_time=event_time,
            event_order=unnotified_order(
                event_time=event_time,
                status=status,
                location=output.location if output else None,
            ),
            recorded_at=timestamp(now),
            expires_at=int((now + self.retention).timestamp()),
            input_location=overdue.input_location,
            content_type=overdue.content_type,
            custom_attributes=overdue.custom_attributes,
            output=output,
            output_error=output_error,
            failure=failure,
            source=Source.RECONCILIATION,
        )

    def _read_again(self, item: dict[str, Any]) -> ReconciledRecord:
        try:
            unread = UnreadOutput.from_item(item)
        except MALFORMED_ITEM_ERRORS:
            return ReconciledRecord(ReconcileOutcome.MALFORMED)
        return ReconciledRecord(
            self._read_output(unread), unread.inference_id, unread.endpoint_name
        )

    def _read_output(self, unread: UnreadOutput) -> ReconcileOutcome:
        result_key = (unread.inference_id, unread.endpoint_name, unread.event_order)
        read = self.read.read_object(unread.location)
        if read.start is not None:
            output = self.read.to_output(read, unread.content_type)
            added = self.records.add_output(*result_key, output)
            return ReconcileOutcome.OUTPUT_READ if added else ReconcileOutcome.CHANGED
        self.records.schedule_read(*result_key, self._next_read_at(unread.recorded_at))
        return ReconcileOutcome.OUTPUT_STILL_UNREADABLE

    def _next_read_at(self, recorded_at: datetime) -> str | None:
        """When the record's age has doubled: after minutes at first, after days at last."""
        now = self.now()
        age = now - recorded_at
        return timestamp(now + age) if age < READ_RETRY_PERIOD else None


def _while_time(
    reconcile: Callable[[dict[str, Any]], ReconciledRecord], has_time: Callable[[], bool]
) -> Callable[[dict[str, Any]], ReconciledRecord | None]:
    def reconcile_while_time(item: dict[str, Any]) -> ReconciledRecord | None:
        if not has_time():
            return None
        try:
            return reconcile(item)
        except Unavailable:
            return ReconciledRecord(ReconcileOutcome.LEFT)

    return reconcile_while_time


def _written_at(read: ObjectRead) -> str | None:
    written_at = read.start.last_modified if read.start else None
    return timestamp(written_at) if written_at else None


def _unexpected_error(read: ObjectRead) -> OutputError | None:
    """None if the object does not exist: a lost inference has none."""
    if read.error is None or read.error.code in ("NoSuchKey", "LocationMissing"):
        return None
    return read.error


def _failure_from_object(read: ObjectRead) -> Failure:
    """Without `reason`: SageMaker's text was only in the notification."""
    assert read.start
    assert read.location
    preview = read.start.body.decode(errors="replace")
    return replace(
        classify(Status.FAILED, preview),
        reason=None,
        reason_truncated=None,
        location=read.location.uri,
        body_preview=preview,
    )
