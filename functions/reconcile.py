"""Lambda: ends what is overdue. Triggered by a schedule; goes on where the last call ended."""

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
from inference_results.adapters.aws.calls import client_config
from inference_results.adapters.aws.clients import client
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Dimension, Metric, Variable
from inference_results.domain.reconciliation.reconcile import (
    STATUSES,
    ReconciledRecord,
    ReconcileRecords,
)
from inference_results.domain.results.response import ReadResponse

RESERVE_SECONDS = 25
"""What a record may take once begun: three calls to AWS that take all their time."""

logger = Logger()

_workers = int(os.environ[Variable.WORKERS])
_config = client_config(connections=_workers)
_dynamodb = client("dynamodb", config=_config)
_table = (_dynamodb, os.environ[Variable.TABLE_NAME], int(os.environ[Variable.SHARDS]))
_records = ResultStore(*_table)
_sweep_overdue = ReconcileRecords(
    overdue=OverdueQueries(*_table),
    records=_records,
    read=ReadResponse(
        objects=S3Objects(client("s3", config=_config)),
        records=_records,
        output_prefixes=tuple(json.loads(os.environ[Variable.OUTPUT_PREFIXES])),
        inline_output_bytes=int(os.environ[Variable.INLINE_OUTPUT_BYTES]),
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    slack=timedelta(seconds=int(os.environ[Variable.OVERDUE_SLACK_SECONDS])),
    now=partial(datetime.now, UTC),
)
_pool = ThreadPoolExecutor(_workers)
_watched = frozenset(json.loads(os.environ[Variable.WATCHED_ENDPOINTS]))


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Sweep for as long as the function may run; answers with how many records became what."""
    stop_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    measured = InvocationMetrics()
    counts = Counter[str]()
    try:
        for each in _sweep_overdue(_pool, lambda: time.monotonic() < stop_at):
            counts[each.swept.value] += 1
            _measure(each, measured)
            about = inference_fields(each.inference_id, each.endpoint_name)
            logger.debug("swept", extra={"swept": each.swept.value, **about})
    finally:
        measured.emit()
    return dict(counts)


def _measure(record: ReconciledRecord, measured: InvocationMetrics) -> None:
    measured.add(Metric(record.swept))
    if status := STATUSES.get(record.swept):
        endpoint = known_or_other(_watched, record.endpoint_name or "")
        measured.add(Metric.RESULTS, 1, (Dimension.ENDPOINT, endpoint), (Dimension.STATUS, status))
