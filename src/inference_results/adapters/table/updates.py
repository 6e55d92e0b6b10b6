"""Update expressions: what a write does with the attributes of an item."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_EMPTY_LIST: Final = ":empty_list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The changes of an UpdateItem, by attribute name. Values are Python values.

    `append` takes lists, `add` takes numbers and sets. Each creates an attribute that is missing.
    """

    set: Mapping[str, Any] = field(default_factory=dict)
    set_if_missing: Mapping[str, Any] = field(default_factory=dict)
    append: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()

    @property
    def expression(self) -> str:
        clauses = {
            "SET": ", ".join(self._assignments()),
            "REMOVE": ", ".join(f"#{name}" for name in self.remove),
            "ADD": ", ".join(f"#{number} :{number}" for number in range(len(self.add))),
        }
        return " ".join(f"{keyword} {clause}" for keyword, clause in clauses.items() if clause)

    @property
    def names(self) -> dict[str, str]:
        named = (*self.set, *self.set_if_missing, *self.append, *self.remove)
        return {f"#{name}": name for name in named} | {
            f"#{number}": name for number, name in enumerate(self.add)
        }

    @property
    def values(self) -> dict[str, Any]:
        named = {**self.set, **self.set_if_missing, **self.append}
        return (
            {f":{name}": value for name, value in named.items()}
            # Numbered: the names of counters can have any characters, and an expression has a
            # limit of 4 KB.
            | {f":{number}": value for number, value in enumerate(self.add.values())}
            | ({_EMPTY_LIST: []} if self.append else {})
        )

    def _assignments(self) -> Iterator[str]:
        for name in self.set:
            yield f"#{name} = :{name}"
        for name in self.set_if_missing:
            yield f"#{name} = if_not_exists(#{name}, :{name})"
        for name in self.append:
            yield f"#{name} = list_append(if_not_exists(#{name}, {_EMPTY_LIST}), :{name})"


def replace_attributes(attributes: Mapping[str, Any], owned: Iterable[str]) -> Update:
    """Set the attributes that are not None, and remove the other `owned` attributes."""
    values = {name: value for name, value in attributes.items() if value is not None}
    return Update(set=values, remove=tuple(name for name in owned if name not in values))
