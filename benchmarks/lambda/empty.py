"""An empty function: the start time of Python and AWS's runtime client."""

from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {}
