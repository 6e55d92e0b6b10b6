"""Record the result in one queue message. Reject unprocessable messages."""

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
    """How a message was processed: with its result, or the reason for its rejection."""

    disposition: Disposition
    result: Result | None = None
    reason: Reason | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether the result was written."""
        return self.disposition in _RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """Processes one message. Thread-safe.

    After an exception, deliver the message again: processing it twice writes its result once.
    """

    read: ReadResponse
    records: Records
    rejections: Rejections
    retention: timedelta
    now: Callable[[], datetime]

    def __call__(self, message: Message) -> ProcessedMessage:
        """Raises Unavailable, or ObjectDenied while a retry can help."""
        try:
            notification = parse_notification(message.body)
        except Unprocessable as error:
            self.rejections.reject(message, error)
            return ProcessedMessage(Disposition.UNPROCESSABLE, reason=error.reason)
        if isinstance(notification, TestNotification):
            return ProcessedMessage(Disposition.IGNORED)
        result = self._result(notification, message.receive_count)
        disposition = self.records.record(result)
        if disposition is Disposition.RECORDED and result.output_error:
            disposition = Disposition.RECORDED_WITH_OUTPUT_ERROR
        return ProcessedMessage(disposition, result)

    def _result(self, notification: ResultNotification, receive_count: int) -> Result:
        output, output_error = self.read.output(notification, receive_count)
        failure, failure_error = self.read.failure(notification, receive_count)
        now = self.now()
        return Result(
            inference_id=notification.inference_id,
            endpoint_name=notification.endpoint_name,
            status=notification.status,
            event_time=notification.event_time,
            event_order=event_order(
                event_time=notification.event_time,
                status=notification.status,
                location=notification.output_location or notification.failure_location,
                digest=notification.digest,
            ),
            recorded_at=timestamp(now),
            expires_at=int((now + self.retention).timestamp()),
            received_at=notification.received_at,
            input_location=notification.input_location,
            content_type=notification.content_type,
            custom_attributes=notification.custom_attributes,
            output=output,
            output_error=output_error or failure_error,
            failure=failure,
            ignored_fields=notification.ignored_fields or None,
        )
