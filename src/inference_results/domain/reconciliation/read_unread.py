"""Read an unread output again: S3 did not return it when the result was recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from inference_results.domain.reconciliation.candidates import UnreadOutput
from inference_results.domain.reconciliation.outcome import ReconciledRecord, ReconcileOutcome
from inference_results.domain.reconciliation.ports import UnreadOutputs
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.response import ReadResponse

READ_RETRY_PERIOD: Final = timedelta(days=7)
"""A failed read of the output of a record older than this is the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadUnreadOutput:
    """Reads unread outputs, and schedules the next read of those that remain unreadable."""

    records: UnreadOutputs
    read: ReadResponse
    now: Callable[[], datetime]

    def __call__(self, item: Mapping[str, Any]) -> ReconciledRecord:
        """Raises MalformedRecord or Unavailable."""
        unread = UnreadOutput.from_item(item)
        outcome = self._read_again(unread)
        return ReconciledRecord(outcome, unread.inference_id, unread.endpoint_name)

    def _read_again(self, unread: UnreadOutput) -> ReconcileOutcome:
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
