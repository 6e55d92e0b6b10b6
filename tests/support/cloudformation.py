"""Find resources in a CloudFormation template, and read their properties."""

from collections.abc import Iterable
from typing import Any


def resources(template: dict[str, Any], resource_type: str) -> dict[str, Any]:
    """Return the resources of a CloudFormation type by logical id."""
    return {
        name: each for name, each in template["Resources"].items() if each["Type"] == resource_type
    }


def named(logical_ids: Iterable[str], part: str) -> str:
    """Return the only logical id that contains `part`."""
    (name,) = [name for name in logical_ids if part in name]
    return name


def properties(template: dict[str, Any], resource_type: str, part: str) -> dict[str, Any]:
    """Return the properties of the only resource whose logical id contains `part`."""
    found = resources(template, resource_type)
    return found[named(found, part)]["Properties"]


def statements(template: dict[str, Any], resource_type: str, part: str) -> list[dict[str, Any]]:
    """Return the statements of a policy resource."""
    return properties(template, resource_type, part)["PolicyDocument"]["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]


def keys(table_or_index: dict[str, Any]) -> list[str]:
    """Return the names of the key attributes."""
    return [key["AttributeName"] for key in table_or_index["KeySchema"]]
