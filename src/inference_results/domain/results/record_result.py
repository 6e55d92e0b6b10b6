"""The use case: one queue message becomes one record, or is parked, or is ignored."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from inference_results.domain.record.errors import Reason, Unprocessable
from inference_results.domain.record.order import event_order
from inference_results.domain.record.result import Result
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.notification import (
    ResultNotification,
    TestNotification,
    parse_notification,
)
from inference_results.domain.results.ports import Disposition, Message, Records, Rejections
from inference_results.domain.results.response import ReadResponse

_RECORDED: Final = (Disposition.RECORDED, Disposition.RECORDED_WITH_OUTPUT_ERROR)


@dataclass(frozen=True, slots=True)
class ProcessedMessage:
    """What became of a message: the outcome that it told, or the reason why it was parked."""

    disposition: Disposition
    outcome: Result | None = None
    reason: Reason | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether the outcome was written."""
        return self.disposition in _RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """Settles one message; safe to share between threads.

    What it raises means that the message must be delivered again: nothing was written, or what was
    written will not be written twice.
    """

    read: ReadResponse
    records: Records
    parking: Rejections
    retention: timedelta
    now: Callable[[], datetime]

    def __call__(self, message: Message) -> ProcessedMessage:
        try:
            notification = parse_notification(message.body)
        except Unprocessable as why:
            self.parking.park(message, why)
            return ProcessedMessage(Disposition.UNPROCESSABLE, reason=why.reason)
        if isinstance(notification, TestNotification):
            return ProcessedMessage(Disposition.IGNORED)
        outcome = self._outcome(notification, message.receive_count)
        disposition = self.records.record(outcome)
        if disposition is Disposition.RECORDED and outcome.output_error:
            disposition = Disposition.RECORDED_WITH_OUTPUT_ERROR
        return ProcessedMessage(disposition, outcome)

    def _outcome(self, result: ResultNotification, receive_count: int) -> Result:
        output, output_error = self.read.output(result, receive_count)
        failure, failure_error = self.read.failure(result, receive_count)
        now = self.now()
        return Result(
            inference_id=result.inference_id,
            endpoint_name=result.endpoint_name,
            status=result.status,
            event_time=result.event_time,
            event_order=event_order(
                event_time=result.event_time,
                status=result.status,
                location=result.output_location or result.failure_location,
                digest=result.digest,
            ),
            recorded_at=timestamp(now),
            expires_at=int((now + self.retention).timestamp()),
            received_at=result.received_at,
            input_location=result.input_location,
            content_type=result.content_type,
            custom_attributes=result.custom_attributes,
            output=output,
            output_error=output_error or failure_error,
            failure=failure,
            ignored_fields=result.ignored_fields or None,
        )
