"""Lambda: records what the queued notifications say.

Triggered by SQS with ReportBatchItemFailures: only the messages it names are delivered again.
"""

import json
import os
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
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sqs import UnprocessableQueue
from inference_results.contract import Variable
from inference_results.domain.reading import ReadResponse
from inference_results.domain.recording import RecordResult
from inference_results.handlers.batch import settle_batch

logger = Logger()
metrics = Metrics()

_workers = int(os.environ[Variable.WORKERS])
_config = client_config(connections=_workers)
_records = InferencesTable(
    boto3.client("dynamodb", config=_config),
    os.environ[Variable.TABLE_NAME],
    int(os.environ[Variable.SHARDS]),
)
_record_result = RecordResult(
    read=ReadResponse(
        objects=S3Objects(boto3.client("s3", config=_config)),
        records=_records,
        output_prefixes=tuple(json.loads(os.environ[Variable.OUTPUT_PREFIXES])),
        inline_output_bytes=int(os.environ[Variable.INLINE_OUTPUT_BYTES]),
    ),
    records=_records,
    parking=UnprocessableQueue(
        boto3.client("sqs", config=_config), os.environ[Variable.UNPROCESSABLE_QUEUE_URL]
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    now=partial(datetime.now, UTC),
)
_pool = ThreadPoolExecutor(_workers)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle a batch of SQS messages; answers with `batchItemFailures`."""
    settled = settle_batch(
        event["Records"],
        _record_result,
        pool=_pool,
        remaining_seconds=context.get_remaining_time_in_millis() / 1000,
        logger=logger,
    )
    for disposition, count in settled.dispositions.items():
        metrics.add_metric(name=disposition, unit=MetricUnit.Count, value=count)
    metrics.add_metric(name="DeliveredAgain", unit=MetricUnit.Count, value=len(settled.failed))
    return settled.response
