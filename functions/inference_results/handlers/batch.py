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

from inference_results.domain.errors import Unavailable, Unprocessable
from inference_results.domain.inference import Status
from inference_results.domain.notification import InferenceResult, parse_notification
from inference_results.domain.ports import Message
from inference_results.domain.recording import Settled
from inference_results.handlers.disclosure import explained, subject
from inference_results.handlers.measurements import among

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
class SettledBatch:
    """What became of the messages, and the ids of those to be delivered again."""

    settled: list[Settled]
    failed: list[str]

    @property
    def response(self) -> dict[str, list[dict[str, str]]]:
        """What Lambda expects under ReportBatchItemFailures."""
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.failed]}


def settle_batch(
    records: list[dict[str, Any]],
    settle: Callable[[Message], Settled],
    *,
    workers: int,
    remaining_seconds: float,
    logger: Logger,
) -> SettledBatch:
    """Settle SQS records; whatever one of them raises leaves the others alone.

    One that is not done in time is to be delivered again. Its thread goes on when the function runs
    the next time, beside that batch's own: twice is no harm.
    """
    ends_at = time.monotonic() + remaining_seconds
    stop_at = ends_at - RESERVE_SECONDS

    def settle_in_time(message: Message) -> Settled:
        if time.monotonic() > stop_at:
            raise Unavailable("lambda", "OutOfTime")
        return settle(message)

    batch = SettledBatch([], [])
    messages = [_message(record) for record in records]
    pool = ThreadPoolExecutor(workers)
    futures = [pool.submit(settle_in_time, message) for message in messages]
    unfinished = dict(zip(futures, records, strict=True))
    pool.shutdown(wait=False)
    for future in _as_they_end(futures, ends_at - ANSWER_SECONDS - time.monotonic()):
        record = unfinished.pop(future)
        # Logged from here, not from the pool: Powertools has one state for all threads.
        if error := future.exception():
            _deliver_again(record, error, batch, logger)
        else:
            settled = future.result()
            batch.settled.append(settled)
            told = {"message_id": record["messageId"], **_described(settled)}
            logger.debug("settled", extra=told)
    for record in unfinished.values():
        _deliver_again(record, Unavailable("lambda", "OutOfTime"), batch, logger)
    return batch


def _as_they_end(futures: Sequence[Future[Settled]], seconds: float) -> Iterator[Future[Settled]]:
    """As they end, so that a large batch has not all its log lines to write in its last seconds."""
    with suppress(TimeoutError):
        yield from as_completed(futures, seconds)


def _deliver_again(
    record: dict[str, Any], error: BaseException, batch: SettledBatch, logger: Logger
) -> None:
    batch.failed.append(record["messageId"])
    why = {"message_id": record["messageId"], **_told_by(record["body"]), **explained(error)}
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
    if not isinstance(notification, InferenceResult):
        return {}
    return subject(notification.inference_id, notification.endpoint_name)


def _described(settled: Settled) -> dict[str, str]:
    """Without the status if it is none that is known: it may be any text."""
    told = {"disposition": str(settled.disposition)}
    if settled.reason:
        told["reason"] = str(settled.reason)
    if outcome := settled.outcome:
        told |= subject(outcome.inference_id, outcome.endpoint_name)
        told["status"] = among(tuple(Status), outcome.status)
    return told
