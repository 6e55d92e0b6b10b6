"""Conditions of DynamoDB writes, built from named pieces.

    HAS_RESULT = exists("event_order")
    older = less_than("submission.order", order=submission.order)
    condition = HAS_RESULT & (not_exists("submission.order") | older)

A dot separates the names of a map and its member. A value is a Python value; its keyword is the
placeholder's name: `less_than("event_time", now=5)` is `#event_time < :now`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition expression and its placeholders. Combine conditions with `&`, `|` and `~`."""

    expression: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __and__(self, other: "Condition") -> "Condition":
        return self._combine("AND", other)

    def __or__(self, other: "Condition") -> "Condition":
        return self._combine("OR", other)

    def __invert__(self) -> "Condition":
        return Condition(f"(NOT {self.expression})", self.names, self.values)

    def _combine(self, operator: str, other: "Condition") -> "Condition":
        return Condition(
            f"({self.expression} {operator} {other.expression})",
            merge_placeholders(self.names, other.names),
            merge_placeholders(self.values, other.values),
        )


def exists(attribute: str) -> Condition:
    """The item has the attribute."""
    return _condition("attribute_exists({})", attribute)


def not_exists(attribute: str) -> Condition:
    """The item does not have the attribute, or does not exist."""
    return _condition("attribute_not_exists({})", attribute)


def equals(attribute: str, **value: Any) -> Condition:
    """The attribute exists and has the value."""
    return _condition("{} = {}", attribute, value)


def differs(attribute: str, **value: Any) -> Condition:
    """The attribute does not exist or has another value."""
    return _condition("{} <> {}", attribute, value)


def less_than(attribute: str, **value: Any) -> Condition:
    """The attribute exists, has the value's type and is less."""
    return _condition("{} < {}", attribute, value)


def at_most(attribute: str, **value: Any) -> Condition:
    """The attribute exists, has the value's type and is less or equal."""
    return _condition("{} <= {}", attribute, value)


def at_least(attribute: str, **value: Any) -> Condition:
    """The attribute exists, has the value's type and is greater or equal."""
    return _condition("{} >= {}", attribute, value)


def starts_with(attribute: str, **value: Any) -> Condition:
    """The attribute is a string with the prefix."""
    return _condition("begins_with({}, {})", attribute, value)


def contains(attribute: str, **value: Any) -> Condition:
    """The attribute is a set or list with the value, or a string with the substring."""
    return _condition("contains({}, {})", attribute, value)


def size_less_than(attribute: str, **value: Any) -> Condition:
    """The attribute has fewer elements, characters or bytes."""
    return _condition("size({}) < {}", attribute, value)


def one_of(attribute: str, **values: Any) -> Condition:
    """The attribute exists and has one of the values."""
    placeholders = ", ".join(["{}"] * len(values))
    return _condition(f"{{}} IN ({placeholders})", attribute, values)


def merge_placeholders(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the placeholders of both. Raises ValueError if one stands for two things."""
    for placeholder in one.keys() & other.keys():
        if one[placeholder] != other[placeholder]:
            # Without the values: they can be task tokens or the caller's data.
            raise ValueError(f"{placeholder} stands for two things in one request")
    return {**one, **other}


def _condition(template: str, attribute: str, values: Mapping[str, Any] | None = None) -> Condition:
    """Fill in a template with the placeholders of the attribute's path and of the values."""
    names = {f"#{name}": name for name in attribute.split(".")}
    placeholders = {f":{name}": value for name, value in (values or {}).items()}
    return Condition(template.format(".".join(names), *placeholders), names, placeholders)
