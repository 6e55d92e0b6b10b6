"""Parse an output by its content type."""

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


def parse_content(content: bytes, content_type: str | None) -> Any:
    """Parse JSON to an object, JSON lines to a list, CSV to a list of rows, other text to a string.

    Other types stay bytes. Raises ValueError if the content does not match its type.
    """
    header = Message()
    header["content-type"] = content_type or ""
    # Not get_content_type(), which returns text/plain for an invalid type.
    parse = _parser_for((content_type or "").partition(";")[0].strip().lower())
    try:
        return parse(content, _encoding(header.get_content_charset("utf-8")))
    # LookupError: an unknown charset. RecursionError: JSON that is nested too deeply.
    except (LookupError, RecursionError, csv.Error) as error:
        raise ValueError(f"not valid {content_type}") from error


def _encoding(charset: str) -> str:
    """Return Python's name of a charset, for UTF-8 the one that drops a byte-order mark."""
    return "utf-8-sig" if codecs.lookup(charset).name == "utf-8" else charset


def _parser_for(media_type: str) -> Callable[[bytes, str], Any]:
    if media_type == "application/json" or media_type.endswith("+json"):
        return _parse_json
    if media_type in _JSON_LINES:
        return _parse_json_lines
    if media_type == "text/csv":
        return _parse_csv
    return _decode_text if media_type.startswith("text/") else _keep_bytes


def _parse_json(content: bytes, encoding: str) -> Any:
    return json.loads(content.decode(encoding))


def _parse_json_lines(content: bytes, encoding: str) -> list[Any]:
    # Not splitlines(): JSON strings can contain other line separators, such as U+2028.
    lines = content.decode(encoding).split("\n")
    return [json.loads(line) for line in lines if line.strip()]


def _parse_csv(content: bytes, encoding: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline="")))


def _decode_text(content: bytes, encoding: str) -> str:
    return content.decode(encoding)


def _keep_bytes(content: bytes, encoding: str) -> bytes:
    return content
