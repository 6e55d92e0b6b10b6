"""Lambda: publishes events for changed records and completes the tasks that wait for them.

Triggered by the table's stream with ReportBatchItemFailures: Lambda delivers again from the first
change that is reported.
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
from inference_results.adapters.aws.clients import client
from inference_results.adapters.aws.config import client_config
from inference_results.adapters.eventbridge import EventBus
from inference_results.adapters.stepfunctions import StepFunctionsTasks
from inference_results.contract import Metric, Variable
from inference_results.domain.changes.complete_tasks import CompleteTasks, CompletionReport
from inference_results.domain.changes.delivery import Deliver
from inference_results.domain.changes.publish import PublishEvents, PublishReport

RESERVE_SECONDS: Final = 10
"""The longest that one call can take, with the delay before it."""

_CONCURRENT_CALLS: Final = 4

logger = Logger()

_config = client_config(connections=_CONCURRENT_CALLS)
_pool = ThreadPoolExecutor(_CONCURRENT_CALLS)
_deliver = Deliver(sleep=time.sleep)
_custom_attributes = os.environ[Variable.PUBLISH_CUSTOM_ATTRIBUTES] == "true"
_publish_events = PublishEvents(
    bus=EventBus(
        client("events", config=_config),
        os.environ[Variable.EVENT_BUS_ARN],
        os.environ[Variable.TABLE_ARN],
        _pool,
    ),
    custom_attributes=_custom_attributes,
    deliver=_deliver,
    now=partial(datetime.now, UTC),
)
_complete_tasks = CompleteTasks(
    tasks=StepFunctionsTasks(client("stepfunctions", config=_config), _pool),
    custom_attributes=_custom_attributes,
    deliver=_deliver,
)


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process the changes of one shard. Returns `batchItemFailures` with the first to retry."""
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    has_time = _within(seconds)
    changes = changes_in(event)
    # Half of the time, including its last call: a bus that accepts nothing must not starve tasks.
    published = _publish_events(changes, _within((seconds - RESERVE_SECONDS) / 2))
    completed = _complete_tasks(changes, has_time)
    _log_events(published)
    _log_tasks(completed)
    returned = {*completed.returned, *published.returned}
    _metrics(published, completed, len(returned)).emit()
    # Lambda delivers the first one again, and all that follow it.
    first = [each.sequence for each in changes if each.sequence in returned][:1]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in first]}


def _within(seconds: float) -> Callable[[], bool]:
    stop_at = time.monotonic() + seconds
    return lambda: time.monotonic() < stop_at


def _log_events(report: PublishReport) -> None:
    """Log sequences, ids and types, never what an event holds."""
    for sequence, error in report.malformed:
        logger.warning("event not published", extra={"sequence": sequence, "reason": str(error)})
    for each in report.rejected:
        logger.error(
            "event rejected by the event bus",
            extra={
                "event_id": each.event_id,
                "detail_type": each.detail_type,
                **inference_fields(each.inference_id, each.endpoint_name),
            },
        )
    _log_returned("events returned to the stream", report.returned)


def _log_tasks(report: CompletionReport) -> None:
    """Log ids, never what a completion holds: a token is a secret."""
    for sequence, error in report.malformed:
        logger.warning("task not completed", extra={"sequence": sequence, "reason": str(error)})
    for each in report.denied:
        logger.error(
            "access denied to complete a task",
            extra=inference_fields(each.inference_id, each.endpoint_name),
        )
    _log_returned("tasks returned to the stream", report.returned)


def _log_returned(message: str, sequences: list[str]) -> None:
    if sequences:
        logger.warning(message, extra={"first": sequences[0], "count": len(sequences)})


def _metrics(
    published: PublishReport, completed: CompletionReport, returned: int
) -> InvocationMetrics:
    metrics = InvocationMetrics()
    metrics.add(Metric.EVENTS_PUBLISHED, published.published)
    metrics.add(Metric.EVENTS_RETRIED, published.retried)
    metrics.add(Metric.CHANGES_RETURNED, returned)
    metrics.add(Metric.EVENTS_REJECTED, len(published.rejected))
    malformed = {sequence for sequence, _ in (*published.malformed, *completed.malformed)}
    metrics.add(Metric.MALFORMED_RECORDS, len(malformed))
    metrics.add(Metric.TASKS_COMPLETED, completed.completed)
    metrics.add(Metric.TASKS_GONE, completed.gone)
    metrics.add(Metric.TASKS_DENIED, len(completed.denied))
    for lag in published.lags_ms:
        metrics.add(Metric.PUBLISH_LAG, lag)
    return metrics
