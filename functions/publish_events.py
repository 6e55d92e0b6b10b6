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

from functions.event_sources.stream import changes_in
from functions.telemetry.log_fields import hide_error_texts, inference_fields
from functions.telemetry.metrics import InvocationMetrics
from inference_results.adapters.aws.calls import client_config
from inference_results.adapters.aws.clients import client
from inference_results.adapters.eventbridge import EventBus
from inference_results.adapters.stepfunctions import StepFunctionsTasks
from inference_results.contract import Metric, Variable
from inference_results.domain.changes.complete_tasks import CompleteTasks, CompletionReport
from inference_results.domain.changes.delivery import Deliver
from inference_results.domain.changes.publish import PublishEvents, PublishReport

RESERVE_SECONDS: Final = 10
"""What a call may take once begun, with the pause before it."""

_CALLS_AT_A_TIME: Final = 4

logger = Logger()

_config = client_config(connections=_CALLS_AT_A_TIME)
_pool = ThreadPoolExecutor(_CALLS_AT_A_TIME)
_offer = Deliver(sleep=time.sleep)
_custom_attributes = os.environ[Variable.PUBLISH_CUSTOM_ATTRIBUTES] == "true"
_announce_changes = PublishEvents(
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
_answer_tasks = CompleteTasks(
    tasks=StepFunctionsTasks(client("stepfunctions", config=_config), _pool),
    custom_attributes=_custom_attributes,
    offer=_offer,
)


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell the changes of one shard; answers with `batchItemFailures`: the first that is left.

    Lambda tells that one again and all that follow, so more than the first need not be named.
    """
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    in_time = _for(seconds)
    changes = changes_in(event)
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


def _report(told: PublishReport) -> None:
    """Sequences, ids and types only: what an event holds is for those whom a rule tells."""
    for sequence, why in told.malformed:
        logger.warning("not announced", extra={"sequence": sequence, "reason": str(why)})
    for each in told.refused:
        logger.error(
            "refused by the event bus",
            extra={
                "event_id": each.event_id,
                "detail_type": each.detail_type,
                **inference_fields(each.inference_id, each.endpoint_name),
            },
        )
    if told.left:
        logger.warning("will be told again", extra={"first": told.left[0], "count": len(told.left)})


def _report_tasks(answered: CompletionReport) -> None:
    """Never what an answer holds: a token is a secret."""
    for sequence, why in answered.malformed:
        logger.warning("not answered", extra={"sequence": sequence, "reason": str(why)})
    for each in answered.denied:
        logger.error(
            "not allowed to answer a task",
            extra=inference_fields(each.inference_id, each.endpoint_name),
        )
    if left := answered.left:
        logger.warning("will be answered again", extra={"first": left[0], "count": len(left)})


def _measured(told: PublishReport, answered: CompletionReport, left: int) -> InvocationMetrics:
    measured = InvocationMetrics()
    measured.add(Metric.EVENTS_PUBLISHED, told.announced)
    measured.add(Metric.EVENTS_RETRIED, told.retried)
    measured.add(Metric.CHANGES_RETURNED, left)
    measured.add(Metric.EVENTS_REJECTED, len(told.refused))
    malformed = {sequence for sequence, _ in (*told.malformed, *answered.malformed)}
    measured.add(Metric.MALFORMED_RECORDS, len(malformed))
    measured.add(Metric.TASKS_COMPLETED, answered.answered)
    measured.add(Metric.TASKS_GONE, answered.gone)
    measured.add(Metric.TASKS_DENIED, len(answered.denied))
    for lag in told.lags_ms:
        measured.add(Metric.PUBLISH_LAG, lag)
    return measured
