"""The results of the last runs, in summary.json: what the tables of docs/performance.md need."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import environment, now
from benchmarks.measurements import Part, Ratio, Row, Table, Target

SUMMARY: Final = Path(__file__).with_name("summary.json")
_LINE: Final = 360
"""Maximum length of a value that is stored on one line."""


@dataclass(frozen=True)
class SavedPart:
    """The results of a part, the date of the run (UTC), and its machine and versions."""

    date: str
    environment: str
    part: Part


def read(path: Path = SUMMARY) -> dict[str, SavedPart]:
    """Return the results of all parts that have run, by name."""
    documents = json.loads(path.read_text()) if path.exists() else {}
    return {
        name: SavedPart(it["date"], it["environment"], _parse(it)) for name, it in documents.items()
    }


def save(name: str, part: Part, path: Path = SUMMARY) -> None:
    """Replace the results of one part and keep those of the others."""
    documents = json.loads(path.read_text()) if path.exists() else {}
    documents[name] = {"date": now(), "environment": environment(), **asdict(part)}
    path.write_text(_format(documents) + "\n")


def _parse(it: dict[str, Any]) -> Part:
    return Part(
        tables=tuple(Table(**{**each, "rows": _rows(each["rows"])}) for each in it["tables"]),
        targets=tuple(Target(**each) for each in it["targets"]),
        facts=it["facts"],
    )


def _rows(rows: list[Any]) -> tuple[Row, ...]:
    return tuple(
        Row(name, rounds, median, ratio and Ratio(*ratio)) for name, rounds, median, ratio in rows
    )


def _format(value: Any, indent: str = "") -> str:
    """Format as JSON, with every value that fits on one line."""
    text = json.dumps(value)
    if len(text) <= _LINE or not isinstance(value, dict | list):
        return text
    deeper = indent + " "
    if isinstance(value, list):
        items, (start, end) = [_format(each, deeper) for each in value], "[]"
    else:
        items = [f"{json.dumps(name)}: {_format(each, deeper)}" for name, each in value.items()]
        start, end = "{}"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{end}"
