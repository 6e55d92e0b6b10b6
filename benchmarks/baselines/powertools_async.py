"""Powertools' AsyncBatchProcessor with boto3 in threads, because boto3 has no coroutines."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    EventType,
    async_process_partial_response,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from benchmarks.baselines import powertools_batch

logger = Logger(service="other")
metrics = Metrics(namespace="Other", service="other")
pool = ThreadPoolExecutor(10)
processor = AsyncBatchProcessor(event_type=EventType.SQS, model=powertools_batch.Record)


async def record_handler(record: powertools_batch.Record) -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(pool, powertools_batch.record_handler, record)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return async_process_partial_response(event, record_handler, processor, context)
