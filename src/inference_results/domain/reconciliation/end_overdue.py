"""End an overdue record.

It becomes Completed if its output is in S3, Failed if its failure object is, and Lost otherwise. A
notification that arrives later wins over any of these.

See docs/decisions/0012-what-reconciliation-decides.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from inference_results.contract import Status
from inference_results.domain.reconciliation.candidates import OverdueRecord
from inference_results.domain.reconciliation.outcome import (
    RESULT_STATUSES,
    ReconciledRecord,
    ReconcileOutcome,
)
from inference_results.domain.reconciliation.ports import UnnotifiedResults
from inference_results.domain.record.failure import classify
from inference_results.domain.record.order import unnotified_order
from inference_results.domain.record.result import Failure, Output, OutputError, Result, Source
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.response import (
    FAILURE_PREVIEW_BYTES,
    ObjectRead,
    ReadResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How an inference has ended, as its objects in S3 show."""

    outcome: ReconcileOutcome
    event_time: str
    output: Output | None = None
    output_error: OutputError | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOverdueRecord:
    """Ends overdue records."""

    records: UnnotifiedResults
    read: ReadResponse
    retention: timedelta
    now: Callable[[], datetime]

    def __call__(self, item: Mapping[str, Any]) -> ReconciledRecord:
        """Raises MalformedRecord or Unavailable."""
        overdue = OverdueRecord.from_item(item)
        ending = self._find_ending(overdue)
        written = self.records.finish(self._result(overdue, ending), overdue.order)
        return ReconciledRecord(
            ending.outcome if written else ReconcileOutcome.CHANGED,
            overdue.inference_id,
            overdue.endpoint_name,
        )

    def _find_ending(self, overdue: OverdueRecord) -> _Ending:
        output = self._read_object(overdue, overdue.output_location)
        if written_at := _written_at(output):
            return _Ending(
                outcome=ReconcileOutcome.COMPLETED,
                event_time=written_at,
                output=self.read.to_output(output),
            )
        failure = self._read_object(overdue, overdue.failure_location, FAILURE_PREVIEW_BYTES)
        if written_at := _written_at(failure):
            return _Ending(
                outcome=ReconcileOutcome.FAILED,
                event_time=written_at,
                failure=_failure_from_object(failure),
            )
        return _Ending(
            outcome=ReconcileOutcome.LOST,
            event_time=overdue.deadline,
            output_error=_unexpected_error(output) or _unexpected_error(failure),
            failure=Failure(code=overdue.code_if_lost, retryable=True),
        )

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

    def _result(self, overdue: OverdueRecord, ending: _Ending) -> Result:
        now = self.now()
        status = RESULT_STATUSES[ending.outcome]
        return Result(
            inference_id=overdue.inference_id,
            endpoint_name=overdue.endpoint_name,
            status=status,
            event_time=ending.event_time,
            event_order=unnotified_order(
                event_time=ending.event_time,
                status=status,
                location=ending.output.location if ending.output else None,
            ),
            recorded_at=timestamp(now),
            expires_at=int((now + self.retention).timestamp()),
            input_location=overdue.input_location,
            content_type=overdue.content_type,
            custom_attributes=overdue.custom_attributes,
            output=ending.output,
            output_error=ending.output_error,
            failure=ending.failure,
            source=Source.RECONCILIATION,
        )


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
