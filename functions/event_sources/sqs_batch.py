"""Processes the messages of an SQS batch concurrently, each on its own.

Powertools' batch processors work sequentially or need coroutines, which boto3 does not offer. See
docs/decisions/0004-thread-pool.md.
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
"""No message starts later than this before the function's timeout.

Two AWS calls that take their full time fit in. A message that needs more is returned to the queue,
and finishes late.
"""

RESPONSE_SECONDS: Final = 2
"""Messages still in progress this long before the timeout are returned to the queue.

If Lambda killed the function, SQS would deliver the whole batch again.
"""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The processed messages, and the ids of those to return to the queue."""

    processed: list[ProcessedMessage]
    returned: list[str]

    @property
    def response(self) -> dict[str, list[dict[str, str]]]:
        """The response that Lambda expects under ReportBatchItemFailures."""
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.returned]}


class BatchProcessor:
    """Processes SQS batches, one at a time.

    An exception returns its own message only. A message that is not done in time is returned too;
    its thread continues in the next invocation, which is harmless: recording is idempotent.
    """

    def __init__(
        self, process: Callable[[Message], ProcessedMessage], workers: int, logger: Logger
    ) -> None:
        self._process = process
        self._workers = workers
        self._logger = logger
        self._pool = ThreadPoolExecutor(workers)

    def __call__(self, records: list[dict[str, Any]], remaining_seconds: float) -> BatchResult:
        ends_at = time.monotonic() + remaining_seconds
        stop_at = ends_at - RESERVE_SECONDS

        def process_in_time(message: Message) -> ProcessedMessage:
            if time.monotonic() > stop_at:
                raise Unavailable("lambda", "OutOfTime")
            return self._process(message)

        batch = BatchResult([], [])
        futures = [self._pool.submit(process_in_time, _message(record)) for record in records]
        unfinished = dict(zip(futures, records, strict=True))
        try:
            for future in _completed(futures, ends_at - RESPONSE_SECONDS - time.monotonic()):
                self._collect(future, unfinished.pop(future), batch)
        finally:
            if unfinished:
                self._replace_pool()
        for record in unfinished.values():
            self._return(record, Unavailable("lambda", "OutOfTime"), batch)
        return batch

    def _collect(
        self, future: Future[ProcessedMessage], record: dict[str, Any], batch: BatchResult
    ) -> None:
        # Logged here, not in the pool: Powertools' logger has one state for all threads.
        if error := future.exception():
            self._return(record, error, batch)
            return
        processed = future.result()
        batch.processed.append(processed)
        fields = {"message_id": record["messageId"], **_processed_fields(processed)}
        self._logger.debug("message processed", extra=fields)

    def _return(self, record: dict[str, Any], error: BaseException, batch: BatchResult) -> None:
        batch.returned.append(record["messageId"])
        fields = {"message_id": record["messageId"], **_inference_fields_in(record["body"])}
        self._logger.warning(
            "message returned to the queue", extra={**fields, **error_fields(error)}
        )

    def _replace_pool(self) -> None:
        """Give the next batch new threads: the busy ones can stay busy for long."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = ThreadPoolExecutor(self._workers)


def _completed(
    futures: Sequence[Future[ProcessedMessage]], seconds: float
) -> Iterator[Future[ProcessedMessage]]:
    """Futures as they complete: a large batch must not write all its log lines at the end."""
    with suppress(TimeoutError):
        yield from as_completed(futures, seconds)


def _message(record: dict[str, Any]) -> Message:
    return Message(
        message_id=record["messageId"],
        body=record["body"],
        receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        queue_arn=record["eventSourceARN"],
    )


def _inference_fields_in(body: str) -> dict[str, str]:
    """The inference that a message is about, as far as it can be read."""
    try:
        notification = parse_notification(body)
    except Unprocessable:
        return {}
    if not isinstance(notification, ResultNotification):
        return {}
    return inference_fields(notification.inference_id, notification.endpoint_name)


def _processed_fields(processed: ProcessedMessage) -> dict[str, str]:
    """Log fields. An unknown status can be any text, so it is logged as `other`."""
    fields = {"disposition": str(processed.disposition)}
    if processed.reason:
        fields["reason"] = str(processed.reason)
    if result := processed.result:
        fields |= inference_fields(result.inference_id, result.endpoint_name)
        fields["status"] = known_or_other(tuple(Status), result.status)
    return fields
