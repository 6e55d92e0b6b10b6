"""A function that does nothing: what Python and AWS's runtime client take to start."""

from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {}
