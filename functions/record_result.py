"""Lambda: records the results that SageMaker's notifications report.

Triggered by SQS with ReportBatchItemFailures: SQS delivers only the returned messages again.
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
from inference_results.adapters.aws.clients import lazy_client
from inference_results.adapters.aws.config import client_config
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
_fallbacks = FallbackCounter()
_records = ResultStore(
    fast_dynamodb(_workers, _fallbacks),
    os.environ[Variable.TABLE_NAME],
    int(os.environ[Variable.SHARDS]),
)
_record_result = RecordResult(
    read=ReadResponse(
        objects=S3Objects(fast_s3(_workers, _fallbacks)),
        records=_records,
        output_prefixes=tuple(json.loads(os.environ[Variable.OUTPUT_PREFIXES])),
        inline_output_bytes=int(os.environ[Variable.INLINE_OUTPUT_BYTES]),
    ),
    records=_records,
    rejections=UnprocessableQueue(
        lazy_client("sqs", client_config(_workers)),
        os.environ[Variable.UNPROCESSABLE_QUEUE_URL],
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    now=partial(datetime.now, UTC),
)
_process_batch = BatchProcessor(_record_result, _workers, logger)
_watched = frozenset(json.loads(os.environ[Variable.WATCHED_ENDPOINTS]))


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record a batch of SQS messages. Returns `batchItemFailures`."""
    batch = _process_batch(event["Records"], context.get_remaining_time_in_millis() / 1000)
    _metrics(batch).emit()
    return batch.response


def _metrics(batch: BatchResult) -> InvocationMetrics:
    metrics = InvocationMetrics()
    metrics.add(Metric.MESSAGES_RETURNED, len(batch.returned))
    metrics.add(Metric.FAST_CLIENT_FALLBACKS, _fallbacks.take())
    for processed in batch.processed:
        metrics.add(Metric(processed.disposition))
        if processed.reason:
            metrics.add(Metric.UNPROCESSABLE, 1, (Dimension.REASON, processed.reason))
        if processed.result and processed.is_recorded:
            _add_result(processed.result, metrics)
    return metrics


def _add_result(result: Result, metrics: InvocationMetrics) -> None:
    dimensions = (
        (Dimension.ENDPOINT, known_or_other(_watched, result.endpoint_name)),
        (Dimension.STATUS, known_or_other(tuple(Status), result.status)),
    )
    lag = milliseconds_between(result.event_time, result.recorded_at)
    metrics.add(Metric.PIPELINE_LAG, lag)
    metrics.add(Metric.PIPELINE_LAG, lag, *dimensions)
    metrics.add(Metric.RESULTS, 1, *dimensions)
    if result.received_at:
        duration = milliseconds_between(result.received_at, result.event_time)
        metrics.add(Metric.INFERENCE_TIME, duration, *dimensions)
    if result.output and result.output.size is not None:
        metrics.add(Metric.OUTPUT_BYTES, result.output.size, *dimensions)
