"""Lambda: reconciles overdue records and unread outputs, on a schedule.

Each run continues where the last one stopped.
"""

import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.telemetry.log_fields import hide_error_texts, inference_fields
from functions.telemetry.metrics import InvocationMetrics, known_or_other
from inference_results.adapters.aws.clients import client
from inference_results.adapters.aws.config import client_config
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Dimension, Metric, Variable
from inference_results.domain.reconciliation.end_overdue import EndOverdueRecord
from inference_results.domain.reconciliation.outcome import RESULT_STATUSES, ReconciledRecord
from inference_results.domain.reconciliation.read_unread import ReadUnreadOutput
from inference_results.domain.reconciliation.reconcile import ReconcileRecords
from inference_results.domain.results.response import ReadResponse

RESERVE_SECONDS = 25
"""The longest that one record can take: three AWS calls that take their full time."""

logger = Logger()

_workers = int(os.environ[Variable.WORKERS])
_config = client_config(connections=_workers)
_dynamodb = client("dynamodb", config=_config)
_table = (_dynamodb, os.environ[Variable.TABLE_NAME], int(os.environ[Variable.SHARDS]))
_records = ResultStore(*_table)
_read = ReadResponse(
    objects=S3Objects(client("s3", config=_config)),
    records=_records,
    output_prefixes=tuple(json.loads(os.environ[Variable.OUTPUT_PREFIXES])),
    inline_output_bytes=int(os.environ[Variable.INLINE_OUTPUT_BYTES]),
)
_now = partial(datetime.now, UTC)
_reconcile = ReconcileRecords(
    overdue=OverdueQueries(*_table),
    end_overdue=EndOverdueRecord(
        records=_records,
        read=_read,
        retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
        now=_now,
    ),
    read_unread=ReadUnreadOutput(records=_records, read=_read, now=_now),
    slack=timedelta(seconds=int(os.environ[Variable.OVERDUE_SLACK_SECONDS])),
    now=_now,
)
_pool = ThreadPoolExecutor(_workers)
_watched = frozenset(json.loads(os.environ[Variable.WATCHED_ENDPOINTS]))


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Reconcile until shortly before the timeout. Returns the number of records per outcome."""
    stop_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    metrics = InvocationMetrics()
    counts = Counter[str]()
    try:
        for record in _reconcile(_pool, lambda: time.monotonic() < stop_at):
            counts[record.outcome.value] += 1
            _add_record(record, metrics)
            fields = inference_fields(record.inference_id, record.endpoint_name)
            logger.debug("record reconciled", extra={"outcome": record.outcome.value, **fields})
    finally:
        metrics.emit()
    return dict(counts)


def _add_record(record: ReconciledRecord, metrics: InvocationMetrics) -> None:
    metrics.add(Metric(record.outcome))
    if status := RESULT_STATUSES.get(record.outcome):
        endpoint = known_or_other(_watched, record.endpoint_name or "")
        metrics.add(Metric.RESULTS, 1, (Dimension.ENDPOINT, endpoint), (Dimension.STATUS, status))
