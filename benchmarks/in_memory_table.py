"""An in-process DynamoDB for reads of large tables.

moto and MiniStack scan all items to find those of a partition, and report half a unit for any
Query. This table sorts the items of each partition and counts units by DynamoDB's rule
(dynamodb_units.py).
"""

import base64
import json
import re
import time
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from benchmarks.dynamodb_units import Index, Item, item_bytes, read_units

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_PAGE_BYTES: Final = 1_048_576
_KEY_CONDITION: Final = re.compile(
    r"#\w+ = (?P<partition>:\w+)"
    r"(?: AND #\w+ (?P<comparison>=|>=|<|BETWEEN) (?P<low>:\w+)(?: AND (?P<high>:\w+))?)?"
)
"""The key conditions that this project uses. Names must be the keys of the table or index."""


class _Row(NamedTuple):
    sort: str
    key: bytes
    """JSON of the table's and the index's key, as in LastEvaluatedKey."""
    document: bytes
    size: int


@dataclass(slots=True)
class Consumed:
    """Calls, read units, and CPU seconds of this module."""

    calls: int = 0
    units: float = 0.0
    seconds: float = 0.0


@dataclass
class InMemoryTable:
    """Handles Query and BatchGetItem of the clients that it intercepts.

    There is only one table, with this key and these indexes: the table name is ignored.
    """

    key: tuple[str, str]
    indexes: tuple[Index, ...]
    _partitions: dict[tuple[str | None, str], list[_Row]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _consumed: Consumed = field(default_factory=Consumed)
    _lock: Lock = field(default_factory=Lock)

    def add(self, item: Item) -> None:
        """Add an item to the table and to each index whose keys it has."""
        self._add(None, self.key, item)
        for index in self.indexes:
            if entry := index.entry(item):
                self._add(index.name, index.keys, entry)

    def _add(self, index_name: str | None, keys: Sequence[str], entry: Item) -> None:
        partition, sort = keys
        row = _Row(
            entry[sort]["S"],
            _json({each: entry[each] for each in sorted({*self.key, *keys})}),
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
        started = time.thread_time()
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
            self._consumed.seconds += time.thread_time() - started
        return AWSResponse(request.url, 200, HTTPHeaders(), _RawResponse(body))

    def _query(self, parameters: dict[str, Any]) -> tuple[bytes, float]:
        condition = _KEY_CONDITION.fullmatch(parameters["KeyConditionExpression"])
        if condition is None:
            raise ValueError(
                f"unsupported key condition: {parameters['KeyConditionExpression']}; "
                "extend _KEY_CONDITION"
            )
        values = {name: it["S"] for name, it in parameters["ExpressionAttributeValues"].items()}
        name = parameters.get("IndexName")
        rows = self._partitions.get((name, values[condition["partition"]]), [])
        first, end = _range(rows, condition, values)
        forward = parameters.get("ScanIndexForward", True)
        if start := parameters.get("ExclusiveStartKey"):
            sort = start[self._sort_key(name)]["S"]
            first, end = (
                (bisect_right(rows, sort, key=_sort), end)
                if forward
                else (first, bisect_left(rows, sort, key=_sort))
            )
        positions = range(first, end) if forward else range(end - 1, first - 1, -1)
        return _page([rows[at] for at in positions[: parameters.get("Limit")]], parameters)

    def _sort_key(self, index_name: str | None) -> str:
        keys = {each.name: each.keys for each in self.indexes}
        return keys[index_name][1] if index_name else self.key[1]

    def _batch_get(self, parameters: dict[str, Any]) -> tuple[bytes, float]:
        ((table_name, request),) = parameters["RequestItems"].items()
        partition_key, sort_key = self.key
        matches = []
        for key in request["Keys"]:
            sort = key[sort_key]["S"]
            rows = self._partitions.get((None, key[partition_key]["S"]), [])
            matches += [each for each in rows if each.sort == sort]
        documents = b",".join(each.document for each in matches)
        body = b'{"Responses":{%s:[%s]},"UnprocessedKeys":{}}' % (_json(table_name), documents)
        consistent = request.get("ConsistentRead", False)
        return body, sum(read_units(each.size, consistent=consistent) for each in matches)


def _range(
    rows: list[_Row], condition: re.Match[str], values: Mapping[str, str]
) -> tuple[int, int]:
    """Return the position of the first matching row, and the one after the last."""
    low = values.get(condition["low"] or "", "")
    match condition["comparison"]:
        case None:
            return 0, len(rows)
        case "<":
            return 0, bisect_left(rows, low, key=_sort)
        case ">=":
            return bisect_left(rows, low, key=_sort), len(rows)
        case "=":
            return bisect_left(rows, low, key=_sort), bisect_right(rows, low, key=_sort)
    return bisect_left(rows, low, key=_sort), bisect_right(
        rows, values[condition["high"]], key=_sort
    )


def _page(rows: list[_Row], parameters: Mapping[str, Any]) -> tuple[bytes, float]:
    """Fill a page. Like DynamoDB, add LastEvaluatedKey if the page ends at a limit."""
    page = []
    size = 0
    for row in rows:
        page.append(row)
        size += row.size
        if size >= _PAGE_BYTES:
            break
    body = b'{"Items":[%s],"Count":%d' % (b",".join(each.document for each in page), len(page))
    if page and (size >= _PAGE_BYTES or len(page) == parameters.get("Limit")):
        body += b',"LastEvaluatedKey":%s' % page[-1].key
    return body + b"}", read_units(size, consistent=parameters.get("ConsistentRead", False))


def _sort(row: _Row) -> str:
    return row.sort


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_ENCODER: Final = json.JSONEncoder(default=_base64)


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


class _RawResponse(BytesIO):
    """A body with the interface of urllib3's response."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()
