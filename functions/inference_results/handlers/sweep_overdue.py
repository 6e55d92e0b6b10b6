"""Lambda: ends what is overdue. Triggered by a schedule; goes on where the last call ended."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from inference_results.adapters.aws import client_config
from inference_results.adapters.dynamodb import InferencesTable
from inference_results.adapters.overdue import OverdueRecords
from inference_results.adapters.s3 import S3Objects
from inference_results.contract import Variable
from inference_results.domain.reading import ReadResponse
from inference_results.domain.sweeping import SweepOverdue, Swept

RESERVE_SECONDS = 25
"""What a record may take once begun: three calls to AWS that take all their time."""

logger = Logger()
metrics = Metrics()

_workers = int(os.environ[Variable.WORKERS])
_config = client_config(connections=_workers)
_dynamodb = boto3.client("dynamodb", config=_config)
_table = (_dynamodb, os.environ[Variable.TABLE_NAME], int(os.environ[Variable.SHARDS]))
_records = InferencesTable(*_table)
_sweep_overdue = SweepOverdue(
    overdue=OverdueRecords(*_table),
    records=_records,
    read=ReadResponse(
        objects=S3Objects(boto3.client("s3", config=_config)),
        records=_records,
        output_prefixes=tuple(json.loads(os.environ[Variable.OUTPUT_PREFIXES])),
        inline_output_bytes=int(os.environ[Variable.INLINE_OUTPUT_BYTES]),
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    slack=timedelta(seconds=int(os.environ[Variable.OVERDUE_SLACK_SECONDS])),
    now=partial(datetime.now, UTC),
)
_pool = ThreadPoolExecutor(_workers)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Sweep for as long as the function may run; answers with how many records became what."""
    stop_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    swept = _sweep_overdue(_pool, lambda: time.monotonic() < stop_at)
    for each in Swept:
        metrics.add_metric(name=each, unit=MetricUnit.Count, value=swept[each])
    return {str(each): count for each, count in swept.items()}
