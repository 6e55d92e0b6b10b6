"""The table of inferences, as it is asked."""

import heapq
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.calls import translate_unavailable
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

_ANSWER_SECONDS: Final = 6
"""What the calls for one answer may take together, to be begun: one of them may take 7 s more.

A function that waited 20 s before ends in time all the same.
"""
_PAUSE_SECONDS: Final = 0.05
"""Before what was throttled is asked for again; doubled each time, with jitter."""


class InferenceQueries:
    """Finds records by key, and lists them by index; independent calls go side by side on `pool`.

    By key it reads consistently, so what was recorded is found at once; indexes lag a little.
    """

    def __init__(
        self, client: "DynamoDBClient", table_name: str, shards: int, pool: Executor
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards
        self._pool = pool

    def find(self, inference_id: str, endpoint_name: str | None = None) -> list[dict[str, Any]]:
        """The items of an id, on one endpoint or on all.

        One page (1 MB) is read: one id on some thousand endpoints is not a case.
        """
        names = {"#id": Attribute.INFERENCE_ID}
        values: dict[str, Any] = {":id": inference_id}
        condition = "#id = :id"
        if endpoint_name is not None:
            names["#endpoint"] = Attribute.ENDPOINT_NAME
            values[":endpoint"] = endpoint_name
            condition += " AND #endpoint = :endpoint"
        with translate_unavailable("dynamodb"):
            answer = self._client.query(
                TableName=self._table_name,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=to_item(values),
                ConsistentRead=True,
            )
        return [from_item(item) for item in answer["Items"]]

    def find_many(
        self, inference_ids: Sequence[str], endpoint_name: str | None = None
    ) -> list[dict[str, Any]]:
        """The items of at most a hundred different ids.

        With an endpoint the keys are known, and one BatchGetItem has them all; else a query each.
        What is throttled is asked for again: of a hundred some nearly always are.
        """
        items: list[dict[str, Any]] = []
        left = list(inference_ids)
        end = time.monotonic() + _ANSWER_SECONDS
        pause = _PAUSE_SECONDS
        while True:
            if endpoint_name is None:
                found, left = self._find_each(left, end)
            else:
                found, left = self._get(left, endpoint_name)
            items += found
            if not left:
                return items
            _check_time(end)
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - only a jitter
            pause *= 2

    def newest(
        self, index: Index, of: str, *, since: str | None, before: str | None, page_size: int
    ) -> Iterator[dict[str, Any]]:
        """Items below a key of an index by falling sort key, from `since` on and below `before`.

        `page_size` is how many are likely to be wanted: the pages of the shards have their share of
        it, with so much to spare that a second page is hardly ever needed.
        """
        share = min(page_size, 2 * page_size // self._shards + 10)
        sort = _KEYS[index][1]
        end = time.monotonic() + _ANSWER_SECONDS
        shards = []
        for shard in range(self._shards):
            query = self._query(index, f"{shard}#{of}", since, before, share)
            shards.append(_items(query, self._pool.submit(query), end))
        merged = heapq.merge(*shards, key=itemgetter(sort), reverse=True)
        # BETWEEN takes its upper end in.
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
        """What was found until `end`, and the ids that are to be asked for again."""
        items: list[dict[str, Any]] = []
        left: list[str] = []
        for each, asked in [(each, self._pool.submit(self.find, each)) for each in ids]:
            try:
                items += asked.result(timeout=end - time.monotonic())
            except (Unavailable, TimeoutError):
                asked.cancel()
                left.append(each)
        return items, left

    def _get(self, ids: list[str], endpoint_name: str) -> tuple[list[dict[str, Any]], list[str]]:
        """What was found, and the ids that are to be asked for again."""
        keys = [
            to_item({Attribute.INFERENCE_ID: each, Attribute.ENDPOINT_NAME: endpoint_name})
            for each in ids
        ]
        with translate_unavailable("dynamodb"):
            answer = self._client.batch_get_item(
                RequestItems={self._table_name: {"Keys": keys, "ConsistentRead": True}}
            )
        items = [from_item(item) for item in answer["Responses"][self._table_name]]
        unprocessed = answer["UnprocessedKeys"].get(self._table_name, {"Keys": []})["Keys"]
        return items, [from_item(key)[Attribute.INFERENCE_ID] for key in unprocessed]


def _items(query: "Query", first: "Future[QueryOutputTypeDef]", end: float) -> Iterator[Any]:
    """The items of a shard; the pages after the first are read when they are wanted."""
    with translate_unavailable("dynamodb"):
        page = first.result()
    while True:
        yield from map(from_item, page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        _check_time(end)
        with translate_unavailable("dynamodb"):
            page = query(ExclusiveStartKey=page["LastEvaluatedKey"])


def _check_time(end: float) -> None:
    if time.monotonic() > end:
        raise Unavailable("dynamodb", "SlowAnswers")
