"""The table of inferences, as it is swept."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.adapters.table.index_keys import status_key, unread_key
from inference_results.adapters.table.items import from_item, to_item
from inference_results.contract import Attribute, Index, Status

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PAGE_SIZE: Final = 100
"""Items in memory at a time, each of some KB."""


class OverdueQueries:
    """Pages of whole items, the longest overdue of each shard first."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def in_progress(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Records whose deadline is before a time."""
        return self._pages(partial(status_key, status=Status.IN_PROGRESS), before)

    def unread(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Completed records whose output is to be read again by then."""
        return self._pages(unread_key, before)

    def _pages(
        self, key_of: Callable[[int], str], before: str
    ) -> Iterator[Sequence[dict[str, Any]]]:
        # Not always the same first: a shard whose records cannot be settled would hold up the rest.
        for shard in random.sample(range(self._shards), self._shards):
            start: dict[str, Any] = {}
            while True:
                with translate_unavailable("dynamodb"):
                    page = self._client.query(
                        TableName=self._table_name,
                        IndexName=Index.BY_STATUS,
                        KeyConditionExpression="#shard = :shard AND #sort < :before",
                        ExpressionAttributeNames={
                            "#shard": Attribute.STATUS_SHARD,
                            "#sort": Attribute.STATUS_SORT,
                        },
                        ExpressionAttributeValues=to_item(
                            {":shard": key_of(shard), ":before": before}
                        ),
                        Limit=PAGE_SIZE,
                        **start,
                    )
                yield [from_item(item) for item in page["Items"]]
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
