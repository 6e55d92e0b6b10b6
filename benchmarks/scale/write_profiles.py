"""Typical inferences and the write units that DynamoDB counts for them, by table and index."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

from benchmarks.dynamodb_units import write_units
from benchmarks.reviewed_template import indexes
from benchmarks.sample_items import (
    Item,
    completed_item,
    failed_item,
    registered_item,
    with_submission,
)


@dataclass(frozen=True)
class WriteProfile:
    """A typical inference and the successive versions of its item."""

    items: tuple[Item, ...]

    @cached_property
    def units(self) -> dict[str, int]:
        """Write units, by table and index."""
        return total_write_units(self.items)


@cache
def write_profiles() -> dict[str, WriteProfile]:
    """Return the profiles of the model, by name."""
    registered = registered_item()
    profiles = {}
    for name, item in (("completed", completed_item()), ("failed", failed_item())):
        profiles[name] = WriteProfile((item,))
        both = (registered, with_submission(registered, item))
        profiles[f"registered, {name}"] = WriteProfile(both)
    return profiles


def total_write_units(items: Sequence[Item]) -> dict[str, int]:
    """Sum the write units of successive versions of an item, the first of which is new."""
    units = Counter[str]()
    for before, after in pairwise((None, *items)):
        units.update(write_units(before, after, indexes()))
    return units
