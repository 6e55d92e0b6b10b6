"""What is written to a stream: for a reader on a terminal, or for the next program in a pipe.

Ids, reasons and names are data from elsewhere: no console here knows markup, and `shown` escapes
what would steer a terminal.
"""

import json
import sys
from typing import Any, TextIO

from rich.console import Console


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def console(stream: TextIO, *, width: int | None = None) -> Console:
    """Writes control codes to a terminal only; colours according to NO_COLOR."""
    return Console(
        file=stream,
        width=width,
        force_terminal=is_terminal(stream),
        markup=False,
        emoji=False,
        highlight=False,
    )


def shown(text: str) -> str:
    r"""One line of the text, with what cannot be printed as an escape: a tab as `\t`."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def print_fields(*fields: str | None) -> None:
    """One line, fields parted by tabs, none of them cut."""
    print(*(shown(field or "") for field in fields), sep="\t", flush=True)


def print_json(document: Any, *, spread: bool = False) -> None:
    """On one line, or `spread` over several on a terminal; characters beyond ASCII are escaped."""
    indent = 2 if spread and is_terminal(sys.stdout) else None
    print(json.dumps(document, indent=indent), flush=True)


def note(text: str) -> None:
    """One line on the standard error stream."""
    console(sys.stderr).print(shown(text), soft_wrap=True)


def complain(text: str) -> None:
    """One line about an error on the standard error stream."""
    console(sys.stderr).print(shown(text), style="red", soft_wrap=True)
