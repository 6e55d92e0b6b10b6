"""Lambda: announces changes of a status, as the stream of the inferences tells them, and answers
the tasks that wait for an end.

Triggered by the table's stream with ReportBatchItemFailures: what is left comes again, and what
follows it.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from inference_results.adapters.aws import client_config
from inference_results.adapters.clients import client
from inference_results.adapters.eventbridge import EventBus
from inference_results.adapters.items import streamed
from inference_results.adapters.stepfunctions import WaitingTasks
from inference_results.contract import Metric, Variable
from inference_results.domain.announcement import Change
from inference_results.domain.announcing import AnnounceChanges, Told
from inference_results.domain.answering import Answered, AnswerTasks
from inference_results.domain.offering import Offer
from inference_results.handlers.disclosure import subject, without_texts
from inference_results.handlers.measurements import Measurements

RESERVE_SECONDS: Final = 10
"""What a call may take once begun, with the pause before it."""

_CALLS_AT_A_TIME: Final = 4

logger = Logger()

_config = client_config(connections=_CALLS_AT_A_TIME)
_pool = ThreadPoolExecutor(_CALLS_AT_A_TIME)
_offer = Offer(sleep=time.sleep)
_custom_attributes = os.environ[Variable.ANNOUNCE_CUSTOM_ATTRIBUTES] == "true"
_announce_changes = AnnounceChanges(
    bus=EventBus(
        client("events", config=_config),
        os.environ[Variable.EVENT_BUS_ARN],
        os.environ[Variable.TABLE_ARN],
        _pool,
    ),
    custom_attributes=_custom_attributes,
    offer=_offer,
    now=partial(datetime.now, UTC),
)
_answer_tasks = AnswerTasks(
    tasks=WaitingTasks(client("stepfunctions", config=_config), _pool),
    custom_attributes=_custom_attributes,
    offer=_offer,
)


@logger.inject_lambda_context
@without_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell the changes of one shard; answers with `batchItemFailures`: the first that is left.

    Lambda tells that one again and all that follow, so more than the first need not be named.
    """
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    in_time = _for(seconds)
    changes = [_change(record["dynamodb"]) for record in event["Records"]]
    # Half of the time, its last call included, or a bus that takes nothing would let tasks wait.
    told = _announce_changes(changes, _for((seconds - RESERVE_SECONDS) / 2))
    answered = _answer_tasks(changes, in_time)
    _report(told)
    _report_tasks(answered)
    left = {*answered.left, *told.left}
    _measured(told, answered, len(left)).emit()
    first = [each.sequence for each in changes if each.sequence in left][:1]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in first]}


def _for(seconds: float) -> Callable[[], bool]:
    """Whether there is still time, from now on."""
    stop_at = time.monotonic() + seconds
    return lambda: time.monotonic() < stop_at


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


def _report_tasks(answered: Answered) -> None:
    """Never what an answer holds: a token is a secret."""
    for sequence, why in answered.malformed:
        logger.warning("not answered", extra={"sequence": sequence, "reason": str(why)})
    for each in answered.denied:
        logger.error(
            "not allowed to answer a task", extra=subject(each.inference_id, each.endpoint_name)
        )
    if left := answered.left:
        logger.warning("will be answered again", extra={"first": left[0], "count": len(left)})


def _measured(told: Told, answered: Answered, left: int) -> Measurements:
    measured = Measurements()
    measured.add(Metric.ANNOUNCED, told.announced)
    measured.add(Metric.RETRIED, told.retried)
    measured.add(Metric.LEFT_FOR_REDELIVERY, left)
    measured.add(Metric.REFUSED, len(told.refused))
    malformed = {sequence for sequence, _ in (*told.malformed, *answered.malformed)}
    measured.add(Metric.MALFORMED, len(malformed))
    measured.add(Metric.TASKS_ANSWERED, answered.answered)
    measured.add(Metric.TASKS_GONE, answered.gone)
    measured.add(Metric.TASKS_DENIED, len(answered.denied))
    for lag in told.lags_ms:
        measured.add(Metric.ANNOUNCEMENT_LAG, lag)
    return measured
