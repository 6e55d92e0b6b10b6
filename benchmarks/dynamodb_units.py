"""Calculate DynamoDB's item sizes and capacity units by AWS's documented rules.

See CapacityUnitCalculations.html, read-write-operations.html and
GSI.html#GSI.ThroughputConsiderations.Writes under
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/.

Items are in boto3's client format: `{name: {"S": "text"}}`, binary values as bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, TypeAlias

Item: TypeAlias = Mapping[str, Any]

TABLE: Final = "table"
"""Key of the table's own units, next to those of its indexes."""


@dataclass(frozen=True)
class Index:
    """A global secondary index: its key attributes and all projected attributes (None for ALL)."""

    name: str
    keys: tuple[str, ...]
    projected: frozenset[str] | None

    def entry(self, item: Item | None) -> dict[str, Any] | None:
        """Return the index entry of an item, or None if the item lacks a key attribute."""
        if item is None or any(key not in item for key in self.keys):
            return None
        projected = item.keys() if self.projected is None else self.projected
        return {name: value for name, value in item.items() if name in projected}


def indexes_of(table: Mapping[str, Any]) -> tuple[Index, ...]:
    """Read the indexes from DescribeTable's `Table` or from a template's table properties."""
    table_keys = [key["AttributeName"] for key in table["KeySchema"]]
    indexes = []
    for each in table.get("GlobalSecondaryIndexes", ()):
        keys = tuple(key["AttributeName"] for key in each["KeySchema"])
        projection = each["Projection"]
        projected = None
        if projection["ProjectionType"] != "ALL":
            projected = frozenset({*table_keys, *keys, *projection.get("NonKeyAttributes", ())})
        indexes.append(Index(each["IndexName"], keys, projected))
    return tuple(indexes)


def write_units(
    before: Item | None, after: Item | None, indexes: tuple[Index, ...]
) -> dict[str, int]:
    """Return the write units of one changed item, by table and index."""
    units = {TABLE: _write_units(max(item_bytes(before or {}), item_bytes(after or {})))}
    for index in indexes:
        units[index.name] = _index_units(index, index.entry(before), index.entry(after))
    return units


def _index_units(index: Index, before: Item | None, after: Item | None) -> int:
    """An unchanged entry costs nothing. A changed key costs a delete and a put."""
    if before == after:
        return 0
    sizes = [item_bytes(each) for each in (before, after) if each is not None]
    moves = before and after and any(before[key] != after[key] for key in index.keys)
    return sum(map(_write_units, sizes)) if moves else _write_units(max(sizes))


def _write_units(size: int) -> int:
    return max(1, ceil(size / 1024))


def read_units(size: int, *, consistent: bool) -> float:
    """Return the read units of an item, or of everything that a query read. `size` in bytes."""
    return max(1, ceil(size / 4096)) / (1 if consistent else 2)


def item_bytes(item: Item) -> int:
    """Return the size of an item: attribute names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return _number_bytes(content)
        case "NULL" | "BOOL":
            return 1
        case "M":
            return 3 + len(content) + item_bytes(content)
        case "L":
            return 3 + len(content) + sum(map(_value_bytes, content))
        case _:  # sets
            return sum(_value_bytes({kind[0]: each}) for each in content)


def _number_bytes(text: str) -> int:
    """One byte per two significant digits, plus one.

    AWS calls this approximate. It does not mention signs: assume one byte for a minus.
    """
    digits = text.lstrip("-").replace(".", "").strip("0")
    return 1 + ceil(len(digits) / 2) + text.startswith("-")
