"""An in-process DynamoDB for reads of large tables.

moto and MiniStack scan all items to find those of a partition, and report half a unit for any
Query. This table sorts the items of each partition and counts units by DynamoDB's rule
(dynamodb_units.py). It has no pages after the first.
"""

import base64
import json
import re
from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from benchmarks.dynamodb_units import Index, Item, item_bytes, read_units
from inference_results.contract import Attribute

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_KEY: Final = (str(Attribute.INFERENCE_ID), str(Attribute.ENDPOINT_NAME))
_KEY_CONDITION: Final = re.compile(r"#\w+ = (?P<partition>:\w+)(?: AND #\w+ = (?P<sort>:\w+))?")
"""The key conditions of the benchmark. Names must be the keys of the table or index."""


class _Row(NamedTuple):
    sort: str
    key: bytes
    """JSON of the table's and the index's key, as in LastEvaluatedKey."""
    document: bytes
    size: int


@dataclass(slots=True)
class Consumed:
    """Calls and read units."""

    calls: int = 0
    units: float = 0.0


@dataclass
class InMemoryTable:
    """Handles Query and BatchGetItem of the clients that it intercepts.

    There is only one table, with these indexes: the table name is ignored.
    """

    indexes: tuple[Index, ...]
    _partitions: dict[tuple[str | None, str], list[_Row]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _consumed: Consumed = field(default_factory=Consumed)
    _lock: Lock = field(default_factory=Lock)

    def add(self, item: Item) -> None:
        """Add an item to the table and to each index whose keys it has."""
        self._add(None, _KEY, item)
        for index in self.indexes:
            if entry := index.entry(item):
                self._add(index.name, index.keys, entry)

    def _add(self, index_name: str | None, keys: Sequence[str], entry: Item) -> None:
        partition, sort = keys
        row = _Row(
            entry[sort]["S"],
            _json({each: entry[each] for each in sorted({*_KEY, *keys})}),
            _json(entry),
            item_bytes(entry),
        )
        insort(self._partitions[index_name, entry[partition]["S"]], row)

    def intercept(self, client: "DynamoDBClient") -> None:
        """Handle all requests of a client here, and never send them."""
        handler: Any = self._handle  # the stubs know no handler that returns a response
        client.meta.events.register("before-send.dynamodb", handler)

    def take_consumed(self) -> Consumed:
        """Return what was consumed since the last call, and reset it."""
        with self._lock:
            consumed, self._consumed = self._consumed, Consumed()
        return consumed

    def _handle(self, request: Any, **_: Any) -> AWSResponse:
        """Handle a request, botocore's AWSPreparedRequest."""
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        parameters = json.loads(request.body)
        match operation:
            case "Query":
                body, units = self._query(parameters)
            case "BatchGetItem":
                body, units = self._batch_get(parameters)
            case _:
                raise LookupError(f"expected Query or BatchGetItem, got {operation}")
        with self._lock:
            self._consumed.calls += 1
            self._consumed.units += units
        return AWSResponse(request.url, 200, HTTPHeaders(), _RawResponse(body))

    def _query(self, parameters: dict[str, Any]) -> tuple[bytes, float]:
        condition = _KEY_CONDITION.fullmatch(parameters["KeyConditionExpression"])
        if condition is None or "ExclusiveStartKey" in parameters:
            raise ValueError(f"unsupported query: {parameters}")
        values = {name: it["S"] for name, it in parameters["ExpressionAttributeValues"].items()}
        name = parameters.get("IndexName")
        rows = self._partitions.get((name, values[condition["partition"]]), [])
        if sort := values.get(condition["sort"] or ""):
            rows = [each for each in rows if each.sort == sort]
        limit = parameters.get("Limit", len(rows))
        forward = parameters.get("ScanIndexForward", True)
        page = rows[:limit] if forward else rows[: -limit - 1 : -1]
        documents = b",".join(each.document for each in page)
        body = b'{"Items":[%s],"Count":%d' % (documents, len(page))
        if page and len(page) == parameters.get("Limit"):
            body += b',"LastEvaluatedKey":%s' % page[-1].key
        consistent = parameters.get("ConsistentRead", False)
        return body + b"}", read_units(sum(each.size for each in page), consistent=consistent)

    def _batch_get(self, parameters: dict[str, Any]) -> tuple[bytes, float]:
        ((table_name, request),) = parameters["RequestItems"].items()
        partition_key, sort_key = _KEY
        matches = []
        for key in request["Keys"]:
            sort = key[sort_key]["S"]
            rows = self._partitions.get((None, key[partition_key]["S"]), [])
            matches += [each for each in rows if each.sort == sort]
        documents = b",".join(each.document for each in matches)
        body = b'{"Responses":{%s:[%s]},"UnprocessedKeys":{}}' % (_json(table_name), documents)
        consistent = request.get("ConsistentRead", False)
        return body, sum(read_units(each.size, consistent=consistent) for each in matches)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_ENCODER: Final = json.JSONEncoder(default=_base64)


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


class _RawResponse(BytesIO):
    """A body with the interface of urllib3's response."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()
