"""Units that DynamoDB counts, by the size of items, for the table and for each index.

The rules: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
and, for indexes, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

from benchmarks.scale.deployed import IndexKeys, index_keys
from benchmarks.scale.results import Item, completed_item, ended, failed_item, registered_item

TABLE: Final = "table"
_WRITE_BYTES: Final = 1024
_READ_BYTES: Final = 4096


@dataclass(frozen=True)
class Kind:
    """A typical inference, and the items that stand there one after another."""

    name: str
    items: tuple[Item, ...]

    @cached_property
    def units(self) -> dict[str, int]:
        """Write units, by table and index."""
        return written(self.items)


@cache
def kinds() -> dict[str, Kind]:
    """The ones that the model knows, by name."""
    registered = registered_item()
    found = [
        Kind("completed", (completed_item(),)),
        Kind("completed, inline", (completed_item(output_bytes=1024),)),
        Kind("failed", (failed_item(),)),
        Kind("registered, completed", (registered, ended(registered, completed_item()))),
        Kind("registered, failed", (registered, ended(registered, failed_item()))),
    ]
    return {each.name: each for each in found}


def written(items: Sequence[Item]) -> dict[str, int]:
    """Write units of items that take each other's place; the first is new."""
    units = {TABLE: 0, **dict.fromkeys(index_keys(), 0)}
    before: Item = {}
    for item in items:
        units[TABLE] += _write_units(max(item_bytes(before), item_bytes(item)))
        for name, index in index_keys().items():
            units[name] += _index_units(index, before, item)
        before = item
    return units


def entry(index: IndexKeys, item: Item) -> Item:
    """What an index holds of an item: nothing if it lacks one of the index's keys."""
    if not all(key in item for key in index.keys):
        return {}
    if index.projected is None:
        return item
    return {name: each for name, each in item.items() if name in index.keys + index.projected}


def _index_units(index: IndexKeys, before: Item, after: Item) -> int:
    """An entry that changes its place is deleted there and put here."""
    old, new = entry(index, before), entry(index, after)
    if old == new:
        return 0
    if old and new and all(old[key] == new[key] for key in index.keys):
        return _write_units(max(item_bytes(old), item_bytes(new)))
    return sum(_write_units(item_bytes(each)) for each in (old, new) if each)


def _write_units(size: int) -> int:
    return math.ceil(size / _WRITE_BYTES)


def read_units(size: int) -> float:
    """Of a Query that is not consistent and finds so many bytes; half a unit at least."""
    return max(1, math.ceil(size / _READ_BYTES)) / 2


def item_bytes(item: Item) -> int:
    """Names and values, as DynamoDB counts them."""
    return sum(len(name.encode()) + _value_bytes(each) for name, each in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, it),) = value.items()
    match kind:
        case "S":
            return len(it.encode())
        case "N":
            return math.ceil(len(it.strip("-").replace(".", "")) / 2) + 1
        case "B":
            return len(bytes(it))
        case "SS":
            return sum(len(each.encode()) for each in it)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(each) for name, each in it.items())
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in it)
    return 1
