"""Settles the messages of one batch side by side, each on its own.

Powertools' batch processors work one after another, or want coroutines, which boto3 is not; see
docs/decisions/0004.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger

from functions.telemetry.log_fields import error_fields, inference_fields
from functions.telemetry.metrics import known_or_other
from inference_results.contract import Status
from inference_results.domain.record.errors import Unavailable, Unprocessable
from inference_results.domain.results.notification import ResultNotification, parse_notification
from inference_results.domain.results.ports import Message
from inference_results.domain.results.record_result import ProcessedMessage

RESERVE_SECONDS: Final = 15
"""No message is begun later than this before the function's end.

Two calls to AWS that take all the time they may fit in. A message that needs more is reported as
failed, and settled late.
"""

ANSWER_SECONDS: Final = 2
"""What is not settled this long before the function's end is reported as failed.

If Lambda killed the function, the whole batch would come again.
"""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the messages, and the ids of those to be delivered again."""

    settled: list[ProcessedMessage]
    failed: list[str]

    @property
    def response(self) -> dict[str, list[dict[str, str]]]:
        """What Lambda expects under ReportBatchItemFailures."""
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.failed]}


class BatchProcessor:
    """Settles batches of SQS records, one batch at a time.

    Whatever one message raises leaves the others alone. One that is not done in time is to be
    delivered again; its thread goes on when the function runs the next time, beside that batch's:
    twice is no harm.
    """

    def __init__(
        self, settle: Callable[[Message], ProcessedMessage], workers: int, logger: Logger
    ) -> None:
        self._settle = settle
        self._workers = workers
        self._logger = logger
        self._pool = ThreadPoolExecutor(workers)

    def __call__(self, records: list[dict[str, Any]], remaining_seconds: float) -> BatchResult:
        ends_at = time.monotonic() + remaining_seconds
        stop_at = ends_at - RESERVE_SECONDS

        def settle_in_time(message: Message) -> ProcessedMessage:
            if time.monotonic() > stop_at:
                raise Unavailable("lambda", "OutOfTime")
            return self._settle(message)

        batch = BatchResult([], [])
        messages = [_message(record) for record in records]
        futures = [self._pool.submit(settle_in_time, message) for message in messages]
        unfinished = dict(zip(futures, records, strict=True))
        try:
            for future in _as_they_end(futures, ends_at - ANSWER_SECONDS - time.monotonic()):
                record = unfinished.pop(future)
                # Logged from here, not from the pool: Powertools has one state for all threads.
                if error := future.exception():
                    _deliver_again(record, error, batch, self._logger)
                else:
                    settled = future.result()
                    batch.settled.append(settled)
                    told = {"message_id": record["messageId"], **_described(settled)}
                    self._logger.debug("settled", extra=told)
        finally:
            if unfinished:
                self._leave_behind()
        for record in unfinished.values():
            _deliver_again(record, Unavailable("lambda", "OutOfTime"), batch, self._logger)
        return batch

    def _leave_behind(self) -> None:
        """The next batch gets threads of its own: those that are busy may be for long."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = ThreadPoolExecutor(self._workers)


def _as_they_end(
    futures: Sequence[Future[ProcessedMessage]], seconds: float
) -> Iterator[Future[ProcessedMessage]]:
    """As they end, so that a large batch has not all its log lines to write in its last seconds."""
    with suppress(TimeoutError):
        yield from as_completed(futures, seconds)


def _deliver_again(
    record: dict[str, Any], error: BaseException, batch: BatchResult, logger: Logger
) -> None:
    batch.failed.append(record["messageId"])
    why = {"message_id": record["messageId"], **_told_by(record["body"]), **error_fields(error)}
    logger.warning("will be delivered again", extra=why)


def _message(record: dict[str, Any]) -> Message:
    return Message(
        message_id=record["messageId"],
        body=record["body"],
        receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        queue_arn=record["eventSourceARN"],
    )


def _told_by(body: str) -> dict[str, str]:
    """Which inference a message tells of, as far as it can be read."""
    try:
        notification = parse_notification(body)
    except Unprocessable:
        return {}
    if not isinstance(notification, ResultNotification):
        return {}
    return inference_fields(notification.inference_id, notification.endpoint_name)


def _described(settled: ProcessedMessage) -> dict[str, str]:
    """Without the status if it is none that is known: it may be any text."""
    told = {"disposition": str(settled.disposition)}
    if settled.reason:
        told["reason"] = str(settled.reason)
    if outcome := settled.outcome:
        told |= inference_fields(outcome.inference_id, outcome.endpoint_name)
        told["status"] = known_or_other(tuple(Status), outcome.status)
    return told
