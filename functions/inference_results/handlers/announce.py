"""Lambda: announces changes of a status, as the stream of the inferences tells them.

Triggered by the table's stream with ReportBatchItemFailures: what is left comes again, and what
follows it.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from inference_results.adapters.aws import client_config
from inference_results.adapters.eventbridge import EventBus
from inference_results.adapters.items import streamed
from inference_results.contract import Metric, Variable
from inference_results.domain.announcement import Change
from inference_results.domain.announcing import AnnounceChanges, Told
from inference_results.handlers.disclosure import subject, without_texts
from inference_results.handlers.measurements import Measurements

RESERVE_SECONDS: Final = 10
"""What a call may take once begun, with the pause before it."""

_CALLS_AT_A_TIME: Final = 4

logger = Logger()

_announce_changes = AnnounceChanges(
    bus=EventBus(
        boto3.client("events", config=client_config(connections=_CALLS_AT_A_TIME)),
        os.environ[Variable.EVENT_BUS_ARN],
        os.environ[Variable.TABLE_ARN],
        ThreadPoolExecutor(_CALLS_AT_A_TIME),
    ),
    custom_attributes=os.environ[Variable.ANNOUNCE_CUSTOM_ATTRIBUTES] == "true",
    sleep=time.sleep,
    now=partial(datetime.now, UTC),
)


@logger.inject_lambda_context
@without_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Announce the changes of one shard; answers with `batchItemFailures`: the first that is left.

    Lambda tells that one again and all that follow, so more than the first need not be named.
    """
    stop_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    changes = [_change(record["dynamodb"]) for record in event["Records"]]
    told = _announce_changes(changes, lambda: time.monotonic() < stop_at)
    _report(told)
    _measured(told).emit()
    return {"batchItemFailures": [{"itemIdentifier": each} for each in told.left[:1]]}


def _change(record: dict[str, Any]) -> Change:
    return Change(
        sequence=record["SequenceNumber"],
        before=_image(record.get("OldImage")),
        after=_image(record.get("NewImage")),
    )


def _image(image: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if image is None else streamed(image)


def _report(told: Told) -> None:
    """Sequences, ids and types only: what an event holds is for those whom a rule tells."""
    for sequence, why in told.malformed:
        logger.warning("not announced", extra={"sequence": sequence, "reason": str(why)})
    for each in told.refused:
        logger.error(
            "refused by the event bus",
            extra={
                "announcement_id": each.announcement_id,
                "detail_type": each.detail_type,
                **subject(each.inference_id, each.endpoint_name),
            },
        )
    if told.left:
        logger.warning("will be told again", extra={"first": told.left[0], "count": len(told.left)})


def _measured(told: Told) -> Measurements:
    measured = Measurements()
    measured.add(Metric.ANNOUNCED, told.announced)
    measured.add(Metric.RETRIED, told.retried)
    measured.add(Metric.LEFT_FOR_REDELIVERY, len(told.left))
    measured.add(Metric.REFUSED, len(told.refused))
    measured.add(Metric.MALFORMED, len(told.malformed))
    for lag in told.lags_ms:
        measured.add(Metric.ANNOUNCEMENT_LAG, lag)
    return measured
