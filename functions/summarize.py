"""Lambda: counts results by endpoint and day, as the stream of the inferences tells them.

Triggered by the table's stream, one invocation at a time for each shard. Without
ReportBatchItemFailures: after an error the whole batch comes again, and what was counted is told
apart.
"""

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.event_sources.stream import changes_in
from functions.telemetry.log_fields import hide_error_texts
from inference_results.adapters.aws.calls import client_config
from inference_results.adapters.aws.clients import client
from inference_results.adapters.table.summaries import SummaryStore
from inference_results.contract import REDRIVEN_FROM, Variable
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.summaries.counters import CountResults

_ONLY_SHARD: Final = "only"
"""Where the event names no shard: outside AWS, of an emulator whose streams have one."""

logger = Logger()

_count_results = CountResults(
    counts=SummaryStore(
        client("dynamodb", config=client_config(connections=1)),
        os.environ[Variable.SUMMARIES_TABLE_NAME],
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    now=partial(datetime.now, UTC),
)


@logger.inject_lambda_context
@hide_error_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count the changes of one shard; the last call of a window may bring none.

    Lambda takes an answer without `state` for a failure, though no state is kept. Who redrives a
    dead letter names the former shard too, and as `shardId` a writer of the letter's own.
    """
    changes = changes_in(event)
    try:
        if REDRIVEN_FROM in event:
            _count_results.given_up(event[REDRIVEN_FROM], event["shardId"], changes)
        else:
            _count_results(event.get("shardId", _ONLY_SHARD), changes)
    except Unavailable as error:
        logger.warning("will be delivered again", extra={"reason": str(error)})
        raise
    return {"state": {}}
