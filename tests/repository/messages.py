"""Every text that a caller or an operator can meet: errors, problems, log lines, option help.

`python -m tests.repository.messages` prints them, to be read in one go.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.synthesis import ROOT

FOLDERS = ("src", "functions", "infra", "local")
_LOGGING = {"warning", "error"}
_RAISING = ("Error", "Parameter", "Request", "Unprocessable", "Unavailable", "Rejected", "_problem")
_PRINTING = {"note", "complain", "print_error", "Option", "Argument"}


class Text(NamedTuple):
    place: str
    text: str


def texts() -> Iterator[Text]:
    """The texts with file and line, placeholders as `{}`."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield from _texts_in(file)


def _texts_in(file: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and _is_message(node.func):
            values = [*node.args, *(each.value for each in node.keywords)]
            for text in filter(None, map(_text, values)):
                yield Text(f"{file.relative_to(ROOT)}:{node.lineno}", text)


def _is_message(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(attr=name, value=ast.Name(id="logger")):
            return name in _LOGGING
        case ast.Attribute(attr="__init__", value=ast.Call(func=ast.Name(id="super"))):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _PRINTING or name.endswith(_RAISING)
    return False


def _text(node: ast.expr) -> str | None:
    """A text of at least two words."""
    match node:
        case ast.Constant(value=str(value)):
            text = value
        case ast.JoinedStr(values=parts):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts
            )
        case _:
            return None
    return text if " " in text.strip() else None


if __name__ == "__main__":
    sys.stdout.writelines(f"{each.place}: {each.text}\n" for each in texts())
