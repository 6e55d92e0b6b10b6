"""DynamoDB in this process, for reads at sizes at which emulators only measure themselves.

moto and MiniStack go through all items to find those of a partition, and report half a unit for any
Query. Here, as in DynamoDB, the items of a partition lie sorted, and units are counted by its rule
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
"""What this project asks; names are those of the keys of what is queried."""


class _Row(NamedTuple):
    sort: str
    key: bytes
    """Of the table and the index, as LastEvaluatedKey has it."""
    document: bytes
    size: int


@dataclass(slots=True)
class Spent:
    """Since it was last taken: calls, read units, and seconds of the processor's time here."""

    calls: int = 0
    units: float = 0.0
    seconds: float = 0.0


@dataclass
class SortedTable:
    """Answers Query and BatchGetItem of clients that it is put behind.

    Whatever table they name: there is one, with this key and these indexes.
    """

    key: tuple[str, str]
    indexes: tuple[Index, ...]
    _partitions: dict[tuple[str | None, str], list[_Row]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _spent: Spent = field(default_factory=Spent)
    _lock: Lock = field(default_factory=Lock)

    def add(self, item: Item) -> None:
        """In the table, and in each index that its attributes place it in."""
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

    def behind(self, client: "DynamoDBClient") -> None:
        """The client's requests are answered here, and never sent."""
        answer: Any = self._answer  # the stubs know of no handler that answers
        client.meta.events.register("before-send.dynamodb", answer)

    def taken(self) -> Spent:
        """What was spent since this was asked last."""
        with self._lock:
            spent, self._spent = self._spent, Spent()
        return spent

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        """`request` is botocore's AWSPreparedRequest."""
        began = time.thread_time()
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        asked = json.loads(request.body)
        match operation:
            case "Query":
                body, units = self._query(asked)
            case "BatchGetItem":
                body, units = self._batch_get(asked)
            case _:
                raise LookupError(f"nothing here answers {operation}")
        with self._lock:
            self._spent.calls += 1
            self._spent.units += units
            self._spent.seconds += time.thread_time() - began
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(body))

    def _query(self, asked: dict[str, Any]) -> tuple[bytes, float]:
        condition = _KEY_CONDITION.fullmatch(asked["KeyConditionExpression"])
        if condition is None:
            raise ValueError(f"no condition of this project: {asked['KeyConditionExpression']}")
        values = {name: each["S"] for name, each in asked["ExpressionAttributeValues"].items()}
        name = asked.get("IndexName")
        rows = self._partitions.get((name, values[condition["partition"]]), [])
        first, end = _range(rows, condition, values)
        forward = asked.get("ScanIndexForward", True)
        if start := asked.get("ExclusiveStartKey"):
            sort = start[self._sort_key(name)]["S"]
            first, end = (
                (bisect_right(rows, sort, key=_sort), end)
                if forward
                else (first, bisect_left(rows, sort, key=_sort))
            )
        places = range(first, end) if forward else range(end - 1, first - 1, -1)
        return _page([rows[at] for at in places[: asked.get("Limit")]], asked)

    def _sort_key(self, index_name: str | None) -> str:
        keys = {each.name: each.keys for each in self.indexes}
        return keys[index_name][1] if index_name else self.key[1]

    def _batch_get(self, asked: dict[str, Any]) -> tuple[bytes, float]:
        ((table_name, request),) = asked["RequestItems"].items()
        partition_key, sort_key = self.key
        found = []
        for key in request["Keys"]:
            sort = key[sort_key]["S"]
            rows = self._partitions.get((None, key[partition_key]["S"]), [])
            found += [each for each in rows if each.sort == sort]
        documents = b",".join(each.document for each in found)
        body = b'{"Responses":{%s:[%s]},"UnprocessedKeys":{}}' % (_json(table_name), documents)
        consistent = request.get("ConsistentRead", False)
        return body, sum(read_units(each.size, consistent=consistent) for each in found)


def _range(
    rows: list[_Row], condition: re.Match[str], values: Mapping[str, str]
) -> tuple[int, int]:
    """Places of the first that the condition takes in, and of the one after the last."""
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


def _page(rows: list[_Row], asked: Mapping[str, Any]) -> tuple[bytes, float]:
    """As many as a page takes; it has a LastEvaluatedKey if it ends at a limit, as DynamoDB's."""
    page = []
    size = 0
    for row in rows:
        page.append(row)
        size += row.size
        if size >= _PAGE_BYTES:
            break
    body = b'{"Items":[%s],"Count":%d' % (b",".join(each.document for each in page), len(page))
    if page and (size >= _PAGE_BYTES or len(page) == asked.get("Limit")):
        body += b',"LastEvaluatedKey":%s' % page[-1].key
    return body + b"}", read_units(size, consistent=asked.get("ConsistentRead", False))


def _sort(row: _Row) -> str:
    return row.sort


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_ENCODER: Final = json.JSONEncoder(default=_base64)


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


class _Raw(BytesIO):
    """As urllib3's response is read."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()
