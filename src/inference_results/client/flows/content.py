"""What an output means, by its content type."""

import codecs
import csv
import io
import json
from collections.abc import Callable
from email.message import Message
from typing import Any, Final

_JSON_LINES: Final = frozenset(
    {
        "application/json-lines",
        "application/jsonl",
        "application/jsonlines",
        "application/ndjson",
        "application/x-jsonlines",
        "application/x-ndjson",
    }
)


def parsed(content: bytes, content_type: str | None) -> Any:
    """JSON becomes an object, JSON lines a list, CSV a list of rows, other text a string.

    Anything else stays as it is. Raises ValueError if the content is not what the type says.
    """
    header = Message()
    header["content-type"] = content_type or ""
    # Not get_content_type, which takes what is no type for text.
    read = _reader((content_type or "").partition(";")[0].strip().lower())
    try:
        return read(content, _encoding(header.get_content_charset("utf-8")))
    # LookupError: an unknown character set. RecursionError: nesting beyond what json follows.
    except (LookupError, RecursionError, csv.Error) as error:
        raise ValueError(f"no {content_type}") from error


def _encoding(charset: str) -> str:
    """As Python names it, so that a byte-order mark is no part of the text."""
    return "utf-8-sig" if codecs.lookup(charset).name == "utf-8" else charset


def _reader(kind: str) -> Callable[[bytes, str], Any]:
    if kind == "application/json" or kind.endswith("+json"):
        return _json
    if kind in _JSON_LINES:
        return _json_lines
    if kind == "text/csv":
        return _rows
    return _text if kind.startswith("text/") else _bytes


def _json(content: bytes, encoding: str) -> Any:
    return json.loads(content.decode(encoding))


def _json_lines(content: bytes, encoding: str) -> list[Any]:
    # Not splitlines: JSON may hold other characters that end a line, unescaped.
    lines = content.decode(encoding).split("\n")
    return [json.loads(line) for line in lines if line.strip()]


def _rows(content: bytes, encoding: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline="")))


def _text(content: bytes, encoding: str) -> str:
    return content.decode(encoding)


def _bytes(content: bytes, encoding: str) -> bytes:
    return content
