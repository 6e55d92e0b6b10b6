"""Messages for invalid settings."""

from typing import Final

from pydantic_core import ErrorDetails

_EXPECTED: Final = {
    "missing": "a value; it has no default",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "float_parsing": "a number",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "literal_error": "{expected}",
    "model_type": "a JSON object",
    "tuple_type": "a list",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} value",
    "too_long": "at most {max_length} values",
}
"""Texts for pydantic's types of errors, filled in from their context."""


def format_error(error: ErrorDetails) -> str:
    """Name the setting, what was expected, and the value if it is a simple one."""
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"setting {name}: unknown; docs/settings.md lists all settings"
    if expected := _EXPECTED.get(error["type"]):
        message = f"expected {expected.format_map(error.get('ctx', {}))}"
    else:
        message = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if isinstance(error["input"], str | int | float):
        message += f", got {error['input']!r}"
    return f"setting {name}: {message}" if name else f"setting {message}"
