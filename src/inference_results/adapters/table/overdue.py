"""Query the records that reconciliation must process."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.table.index_keys import status_key, unread_key
from inference_results.adapters.table.items import from_item, to_item
from inference_results.contract import Attribute, Index, Status

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PAGE_SIZE: Final = 100
"""Limits the items in memory, of some KB each."""


class OverdueQueries:
    """Yields pages of complete items. In each shard, the longest overdue come first."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def in_progress(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield records in progress with a deadline before a time. Raises Unavailable."""
        return self._pages(partial(status_key, status=Status.IN_PROGRESS), before)

    def unread(self, before: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield records with an unread output to read before a time. Raises Unavailable."""
        return self._pages(unread_key, before)

    def _pages(
        self, partition_key: Callable[[int], str], before: str
    ) -> Iterator[Sequence[dict[str, Any]]]:
        # In random order: a shard whose records keep failing must not hold up the others.
        for shard in random.sample(range(self._shards), self._shards):
            position: dict[str, Any] = {}
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
                            {":shard": partition_key(shard), ":before": before}
                        ),
                        Limit=PAGE_SIZE,
                        **position,
                    )
                yield [from_item(item) for item in page["Items"]]
                if "LastEvaluatedKey" not in page:
                    break
                position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
