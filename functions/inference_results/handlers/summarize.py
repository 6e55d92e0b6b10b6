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

from inference_results.adapters.aws import client_config
from inference_results.adapters.clients import client
from inference_results.adapters.summaries import SummariesTable
from inference_results.contract import REDRIVEN_FROM, Variable
from inference_results.domain.counting import Change, CountResults
from inference_results.domain.errors import Unavailable
from inference_results.handlers.disclosure import without_texts

_SEQUENCE_DIGITS: Final = 40
"""The most that DynamoDB writes; padded to them, sequence numbers sort as text."""
_ONLY_SHARD: Final = "only"
"""Where the event names no shard: outside AWS, of an emulator whose streams have one."""

logger = Logger()

_count_results = CountResults(
    counts=SummariesTable(
        client("dynamodb", config=client_config(connections=1)),
        os.environ[Variable.SUMMARIES_TABLE_NAME],
    ),
    retention=timedelta(days=int(os.environ[Variable.RETENTION_DAYS])),
    now=partial(datetime.now, UTC),
)


@logger.inject_lambda_context
@without_texts(logger)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count the changes of one shard; the last call of a window may bring none.

    Lambda takes an answer without `state` for a failure, though no state is kept. Who redrives a
    dead letter names the former shard too, and as `shardId` a writer of the letter's own.
    """
    changes = [_change(record["dynamodb"]) for record in event.get("Records", [])]
    try:
        if REDRIVEN_FROM in event:
            _count_results.given_up(event[REDRIVEN_FROM], event["shardId"], changes)
        else:
            _count_results(event.get("shardId", _ONLY_SHARD), changes)
    except Unavailable as error:
        logger.warning("will be delivered again", extra={"reason": str(error)})
        raise
    return {"state": {}}


def _change(record: dict[str, Any]) -> Change:
    return Change(
        sequence=record["SequenceNumber"].zfill(_SEQUENCE_DIGITS),
        made=int(record["ApproximateCreationDateTime"]),
        before=_texts(record.get("OldImage")),
        after=_texts(record.get("NewImage")),
    )


def _texts(image: dict[str, Any] | None) -> dict[str, str] | None:
    if image is None:
        return None
    return {name: value["S"] for name, value in image.items() if "S" in value}
