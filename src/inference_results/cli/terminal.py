"""Writes to standard output and standard error, for a terminal or for the next program in a pipe.

Ids, reasons and names come from other systems: consoles interpret no markup, and `printable`
escapes control characters.
"""

import json
import sys
from typing import Any, TextIO

from rich.console import Console


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def console(stream: TextIO, *, width: int | None = None) -> Console:
    """Create a console that writes control codes only to a terminal. Honours NO_COLOR."""
    return Console(
        file=stream,
        width=width,
        force_terminal=is_terminal(stream),
        markup=False,
        emoji=False,
        highlight=False,
    )


def printable(text: str) -> str:
    r"""Escape unprintable characters, line breaks included: a tab becomes `\t`."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def print_fields(*fields: str | None) -> None:
    """Print one tab-separated line, without truncating any field."""
    print(*(printable(field or "") for field in fields), sep="\t", flush=True)


def print_json(document: Any, *, pretty: bool = False) -> None:
    """Print ASCII JSON on one line; if `pretty`, indented on a terminal."""
    indent = 2 if pretty and is_terminal(sys.stdout) else None
    print(json.dumps(document, indent=indent), flush=True)


def print_note(text: str) -> None:
    """Print one line to standard error."""
    console(sys.stderr).print(printable(text), soft_wrap=True)


def print_error(text: str) -> None:
    """Print one red line to standard error."""
    console(sys.stderr).print(printable(text), style="red", soft_wrap=True)
