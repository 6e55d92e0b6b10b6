"""Lambda: counts results by endpoint and day.

Triggered by the table's stream, one invocation at a time per shard. Without
ReportBatchItemFailures: after an error Lambda delivers the whole batch again, and changes that were
counted already are recognised.
"""

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.event_sources.stream import changes_in
from functions.telemetry.log_fields import hide_error_texts
from inference_results.adapters.aws.clients import client
from inference_results.adapters.aws.config import client_config
from inference_results.adapters.table.summaries import SummaryStore
from inference_results.contract import REDRIVEN_FROM, Variable
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.summaries.counters import CountResults

_ONLY_SHARD: Final = "only"
"""The writer if the event names no shard: some emulators have a single one."""

logger = Logger()

_count_results = CountResults(
    counters=SummaryStore(
        client("dynamodb", config=client_config(connections=1)),
        os.environ[Variable.SUMMARIES_TABLE_NAME],
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    now=partial(datetime.now, UTC),
)


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count the changes of one shard.

    A redriven batch names its shard in REDRIVEN_FROM and a separate writer as `shardId`. The
    response needs `state`: without it, Lambda treats the invocation as failed.
    """
    changes = changes_in(event)
    try:
        if REDRIVEN_FROM in event:
            _count_results.count_redriven(event[REDRIVEN_FROM], event["shardId"], changes)
        else:
            _count_results(event.get("shardId", _ONLY_SHARD), changes)
    except Unavailable as error:
        logger.warning("batch returned to the stream", extra={"reason": str(error)})
        raise
    return {"state": {}}
