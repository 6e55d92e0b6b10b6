"""Find records by key, and list them by index."""

import heapq
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.table.items import from_item, to_item
from inference_results.contract import Attribute, Index
from inference_results.domain.record.errors import Unavailable

if TYPE_CHECKING:
    from concurrent.futures import Future

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryOutputTypeDef

    Query = partial[QueryOutputTypeDef]

_KEYS: Final = {
    Index.BY_ENDPOINT: (Attribute.ENDPOINT_SHARD, Attribute.ENDPOINT_SORT),
    Index.BY_STATUS: (Attribute.STATUS_SHARD, Attribute.STATUS_SORT),
    Index.BY_ENDPOINT_AND_STATUS: (Attribute.ENDPOINT_STATUS_SHARD, Attribute.STATUS_SORT),
}

_TIME_LIMIT_SECONDS: Final = 6
"""No call of a request starts after this time. The last one can take 7 s more.

A function that has held a wait for 20 s before still ends in time.
"""
_FIRST_BACKOFF_SECONDS: Final = 0.05


class InferenceQueries:
    """Finds and lists records. Independent calls run concurrently on `pool`.

    Reads by key are consistent: a record is found as soon as it is written. Indexes lag slightly.
    """

    def __init__(
        self, client: "DynamoDBClient", table_name: str, shards: int, pool: Executor
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards
        self._pool = pool

    def find(self, inference_id: str, endpoint_name: str | None = None) -> list[dict[str, Any]]:
        """Return the items of an id, on one endpoint or on all. Raises Unavailable.

        Reads one page of 1 MB. No id is used on so many endpoints that it needs another.
        """
        names = {"#id": Attribute.INFERENCE_ID}
        values: dict[str, Any] = {":id": inference_id}
        condition = "#id = :id"
        if endpoint_name is not None:
            names["#endpoint"] = Attribute.ENDPOINT_NAME
            values[":endpoint"] = endpoint_name
            condition += " AND #endpoint = :endpoint"
        with translate_unavailable("dynamodb"):
            response = self._client.query(
                TableName=self._table_name,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=to_item(values),
                ConsistentRead=True,
            )
        return [from_item(item) for item in response["Items"]]

    def find_many(
        self, inference_ids: Sequence[str], endpoint_name: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the items of up to 100 different ids. Raises Unavailable.

        With an endpoint, one BatchGetItem reads them all; without one, each id needs a Query.
        Throttled reads are retried: among 100, some nearly always are.
        """
        items: list[dict[str, Any]] = []
        remaining = list(inference_ids)
        end = time.monotonic() + _TIME_LIMIT_SECONDS
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            if endpoint_name is None:
                found, remaining = self._find_each(remaining, end)
            else:
                found, remaining = self._batch_get(remaining, endpoint_name)
            items += found
            if not remaining:
                return items
            _check_time(end)
            time.sleep(random.uniform(backoff / 2, backoff))  # noqa: S311 - only a jitter
            backoff *= 2

    def newest(
        self, index: Index, key: str, *, since: str | None, before: str | None, page_size: int
    ) -> Iterator[dict[str, Any]]:
        """Yield the items below an index key, newest first. Raises Unavailable.

        `since` is inclusive, `before` exclusive. `page_size` is the number of items that the caller
        probably needs. Each shard reads its share with a margin, and rarely needs a second page.
        """
        share = min(page_size, 2 * page_size // self._shards + 10)
        sort = _KEYS[index][1]
        end = time.monotonic() + _TIME_LIMIT_SECONDS
        shards = []
        for shard in range(self._shards):
            query = self._query(index, f"{shard}#{key}", since, before, share)
            shards.append(_items(query, self._pool.submit(query), end))
        merged = heapq.merge(*shards, key=itemgetter(sort), reverse=True)
        # BETWEEN includes its upper end.
        return (item for item in merged if item[sort] != before)

    def _query(
        self, index: Index, key: str, since: str | None, before: str | None, page_size: int
    ) -> "Query":
        shard, sort = _KEYS[index]
        names, values = {"#shard": shard}, {":shard": key}
        condition = "#shard = :shard"
        if since is not None or before is not None:
            names["#sort"] = sort
        if since is not None and before is not None:
            condition += " AND #sort BETWEEN :since AND :before"
            values |= {":since": since, ":before": before}
        elif since is not None:
            condition += " AND #sort >= :since"
            values |= {":since": since}
        elif before is not None:
            condition += " AND #sort < :before"
            values |= {":before": before}
        return partial(
            self._client.query,
            TableName=self._table_name,
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_item(values),
            ScanIndexForward=False,
            Limit=page_size,
        )

    def _find_each(self, ids: list[str], end: float) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the items found until `end`, and the ids to retry."""
        items: list[dict[str, Any]] = []
        remaining: list[str] = []
        for each, future in [(each, self._pool.submit(self.find, each)) for each in ids]:
            try:
                items += future.result(timeout=end - time.monotonic())
            except (Unavailable, TimeoutError):
                future.cancel()
                remaining.append(each)
        return items, remaining

    def _batch_get(
        self, ids: list[str], endpoint_name: str
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the items found, and the ids to retry."""
        keys = [
            to_item({Attribute.INFERENCE_ID: each, Attribute.ENDPOINT_NAME: endpoint_name})
            for each in ids
        ]
        with translate_unavailable("dynamodb"):
            response = self._client.batch_get_item(
                RequestItems={self._table_name: {"Keys": keys, "ConsistentRead": True}}
            )
        items = [from_item(item) for item in response["Responses"][self._table_name]]
        unprocessed = response["UnprocessedKeys"].get(self._table_name, {"Keys": []})["Keys"]
        return items, [from_item(key)[Attribute.INFERENCE_ID] for key in unprocessed]


def _items(query: "Query", first_page: "Future[QueryOutputTypeDef]", end: float) -> Iterator[Any]:
    """Yield the items of a shard. Pages after the first are read on demand."""
    with translate_unavailable("dynamodb"):
        page = first_page.result()
    while True:
        yield from map(from_item, page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        _check_time(end)
        with translate_unavailable("dynamodb"):
            page = query(ExclusiveStartKey=page["LastEvaluatedKey"])


def _check_time(end: float) -> None:
    if time.monotonic() > end:
        raise Unavailable("dynamodb", "SlowResponses")
