"""Lambda: records what the queued notifications say.

Triggered by SQS with ReportBatchItemFailures: only the messages it names are delivered again.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.event_sources.sqs_batch import BatchProcessor, BatchResult
from functions.telemetry.log_fields import hide_error_texts
from functions.telemetry.metrics import InvocationMetrics, known_or_other
from inference_results.adapters.aws.calls import client_config
from inference_results.adapters.aws.clients import lazy_client
from inference_results.adapters.aws.fast_clients import FallbackCounter, fast_dynamodb, fast_s3
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sqs import UnprocessableQueue
from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Dimension, Metric, Status, Variable
from inference_results.domain.record.result import Result
from inference_results.domain.record.timestamps import milliseconds_between
from inference_results.domain.results.record_result import RecordResult
from inference_results.domain.results.response import ReadResponse

logger = Logger()

_workers = int(os.environ[Variable.WORKERS])
_second_attempts = FallbackCounter()
_records = ResultStore(
    fast_dynamodb(_workers, _second_attempts),
    os.environ[Variable.TABLE_NAME],
    int(os.environ[Variable.SHARDS]),
)
_record_result = RecordResult(
    read=ReadResponse(
        objects=S3Objects(fast_s3(_workers, _second_attempts)),
        records=_records,
        output_prefixes=tuple(json.loads(os.environ[Variable.OUTPUT_PREFIXES])),
        inline_output_bytes=int(os.environ[Variable.INLINE_OUTPUT_BYTES]),
    ),
    records=_records,
    parking=UnprocessableQueue(
        lazy_client("sqs", client_config(_workers)),
        os.environ[Variable.UNPROCESSABLE_QUEUE_URL],
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    now=partial(datetime.now, UTC),
)
_settle = BatchProcessor(_record_result, _workers, logger)
_watched = frozenset(json.loads(os.environ[Variable.WATCHED_ENDPOINTS]))


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle a batch of SQS messages; answers with `batchItemFailures`."""
    batch = _settle(event["Records"], context.get_remaining_time_in_millis() / 1000)
    _measured(batch).emit()
    return batch.response


def _measured(batch: BatchResult) -> InvocationMetrics:
    measured = InvocationMetrics()
    measured.add(Metric.MESSAGES_RETURNED, len(batch.failed))
    measured.add(Metric.FAST_CLIENT_FALLBACKS, _second_attempts.taken())
    for settled in batch.settled:
        measured.add(Metric(settled.disposition))
        if settled.reason:
            measured.add(Metric.UNPROCESSABLE, 1, (Dimension.REASON, settled.reason))
        if settled.outcome and settled.is_recorded:
            _measure(settled.outcome, measured)
    return measured


def _measure(outcome: Result, measured: InvocationMetrics) -> None:
    dimensions = (
        (Dimension.ENDPOINT, known_or_other(_watched, outcome.endpoint_name)),
        (Dimension.STATUS, known_or_other(tuple(Status), outcome.status)),
    )
    lag = milliseconds_between(outcome.event_time, outcome.recorded_at)
    measured.add(Metric.PIPELINE_LAG, lag)
    measured.add(Metric.PIPELINE_LAG, lag, *dimensions)
    measured.add(Metric.RESULTS, 1, *dimensions)
    if outcome.received_at:
        took = milliseconds_between(outcome.received_at, outcome.event_time)
        measured.add(Metric.INFERENCE_TIME, took, *dimensions)
    if outcome.output and outcome.output.size is not None:
        measured.add(Metric.OUTPUT_BYTES, outcome.output.size, *dimensions)
