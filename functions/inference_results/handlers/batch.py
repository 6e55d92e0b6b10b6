"""Settles the messages of one batch side by side, each on its own.

Powertools' batch processors work one after another, or want coroutines, which boto3 is not; see
docs/decisions/0004.
"""

import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger

from inference_results.domain.errors import InferenceResultsError, Unavailable
from inference_results.domain.ports import Disposition, Message

RESERVE_SECONDS: Final = 15
"""What a message may take once begun: two calls to AWS that take all the time they may.

None is begun later than this before the function's end.
"""


@dataclass(frozen=True, slots=True)
class SettledBatch:
    """How many messages had which disposition, and the ids of those to be delivered again."""

    dispositions: Counter[Disposition]
    failed: list[str]

    @property
    def response(self) -> dict[str, list[dict[str, str]]]:
        """What Lambda expects under ReportBatchItemFailures."""
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.failed]}


def settle_batch(
    records: list[dict[str, Any]],
    settle: Callable[[Message], Disposition],
    *,
    pool: Executor,
    remaining_seconds: float,
    logger: Logger,
) -> SettledBatch:
    """Settle SQS records; whatever one of them raises leaves the others alone."""
    stop_at = time.monotonic() + remaining_seconds - RESERVE_SECONDS

    def settle_in_time(message: Message) -> Disposition:
        if time.monotonic() > stop_at:
            raise Unavailable("lambda", "OutOfTime")
        return settle(message)

    settled = SettledBatch(Counter(), [])
    futures = [(record, pool.submit(settle_in_time, _message(record))) for record in records]
    for record, future in futures:
        message_id = record["messageId"]
        if error := future.exception():
            settled.failed.append(message_id)
            logger.warning(
                "will be delivered again", extra={"message_id": message_id, **_explained(error)}
            )
        else:
            settled.dispositions[future.result()] += 1
    return settled


def _message(record: dict[str, Any]) -> Message:
    return Message(
        message_id=record["messageId"],
        body=record["body"],
        receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        queue_arn=record["eventSourceARN"],
    )


def _explained(error: BaseException) -> dict[str, Any]:
    """Our own errors explain themselves; of others the text may hold payload, so only the place."""
    if isinstance(error, InferenceResultsError):
        return {"error": type(error).__name__, "reason": str(error)}
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
