"""`python -m schemas` writes the generated documents. `--check` fails if they are out of date."""

import json
import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any, Final

from schemas.event import event_schema
from schemas.openapi import document
from schemas.record_table import with_attribute_table

_ROOT: Final = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    check = arguments == ["--check"]
    differences = 0
    for path, text in _documents():
        if check:
            name = path.relative_to(_ROOT).as_posix()
            diff = list(unified_diff(_lines(path.read_text()), _lines(text), name, "generated"))
            sys.stdout.writelines(diff)
            differences += bool(diff)
        else:
            path.write_text(text)
    if differences:
        sys.stdout.write("Generated documents are out of date. Run `make schemas`.\n")
    return 1 if differences else 0


def _documents() -> Iterator[tuple[Path, str]]:
    yield _ROOT / "functions" / "http_api" / "openapi.json", _json(document())
    yield _ROOT / "docs" / "events" / "inference.schema.json", _json(event_schema())
    record = _ROOT / "docs" / "record.md"
    yield record, with_attribute_table(record.read_text())


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
