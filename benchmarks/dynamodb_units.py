"""DynamoDB's units, by the rules that AWS documents for item sizes, writes, indexes and reads.

docs.aws.amazon.com/amazondynamodb/latest/developerguide: CapacityUnitCalculations.html,
read-write-operations.html, GSI.html#GSI.ThroughputConsiderations.Writes.

Items are as boto3's client has them: `{name: {"S": "text"}}`, binary as bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, TypeAlias

Item: TypeAlias = Mapping[str, Any]

TABLE: Final = "table"
"""Under this name are the units of the table itself, besides those of its indexes."""


@dataclass(frozen=True)
class Index:
    """`keys` are its own, `projected` all that it holds; None: everything."""

    name: str
    keys: tuple[str, ...]
    projected: frozenset[str] | None

    def entry(self, item: Item | None) -> dict[str, Any] | None:
        """What it holds of an item; None if the item lacks a key."""
        if item is None or any(key not in item for key in self.keys):
            return None
        projected = item.keys() if self.projected is None else self.projected
        return {name: value for name, value in item.items() if name in projected}


def indexes_of(table: Mapping[str, Any]) -> tuple[Index, ...]:
    """From what DescribeTable answers as `Table`, or from the properties in a template."""
    own = [key["AttributeName"] for key in table["KeySchema"]]
    indexes = []
    for each in table.get("GlobalSecondaryIndexes", ()):
        keys = tuple(key["AttributeName"] for key in each["KeySchema"])
        projection = each["Projection"]
        projected = None
        if projection["ProjectionType"] != "ALL":
            projected = frozenset({*own, *keys, *projection.get("NonKeyAttributes", ())})
        indexes.append(Index(each["IndexName"], keys, projected))
    return tuple(indexes)


def write_units(
    before: Item | None, after: Item | None, indexes: tuple[Index, ...]
) -> dict[str, int]:
    """Of one write that changed an item, by table and index."""
    units = {TABLE: _units_of_write(max(item_bytes(before or {}), item_bytes(after or {})))}
    for index in indexes:
        units[index.name] = _index_units(index, index.entry(before), index.entry(after))
    return units


def _index_units(index: Index, before: Item | None, after: Item | None) -> int:
    """None for an entry that stays; two writes, a deletion and a new one, where a key changes."""
    if before == after:
        return 0
    sizes = [item_bytes(each) for each in (before, after) if each is not None]
    moves = before and after and any(before[key] != after[key] for key in index.keys)
    return sum(map(_units_of_write, sizes)) if moves else _units_of_write(max(sizes))


def _units_of_write(size: int) -> int:
    return max(1, ceil(size / 1024))


def read_units(size: int, *, consistent: bool) -> float:
    """Of one read of so many bytes: an item, or all that a query read."""
    return max(1, ceil(size / 4096)) / (1 if consistent else 2)


def item_bytes(item: Item) -> int:
    """Of names and values."""
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
    """One byte for two digits that count, and one more.

    AWS calls that approximate, and does not mention signs: a minus is taken for a byte.
    """
    digits = text.lstrip("-").replace(".", "").strip("0")
    return 1 + ceil(len(digits) / 2) + text.startswith("-")
