"""Typical inferences, and the write units that DynamoDB counts for them, by table and index."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

from benchmarks.dynamodb_units import write_units
from benchmarks.reviewed_template import indexes
from benchmarks.scale.results import Item, completed_item, ended, failed_item, registered_item


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
        Kind("failed", (failed_item(),)),
        Kind("registered, completed", (registered, ended(registered, completed_item()))),
        Kind("registered, failed", (registered, ended(registered, failed_item()))),
    ]
    return {each.name: each for each in found}


def written(items: Sequence[Item]) -> dict[str, int]:
    """Write units of items that take each other's place; the first is new."""
    units = Counter[str]()
    for before, after in pairwise((None, *items)):
        units.update(write_units(before, after, indexes()))
    return units
