"""What was measured last, as the benchmarks wrote it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.measured import Row, Spread, Table

_BENCHMARKS: Final = Path(__file__).resolve().parent.parent

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """Of `make bench`, `make cost` and `make scale`; empty for what was not run yet."""

    results: Json
    cost: Json
    scale: Json

    def tables(self, part: str) -> dict[str, Table]:
        """Of a part of results.json, by name."""
        tables = self.results.get(part, {}).get("tables", ())
        return {each["name"]: _table(each) for each in tables}

    def facts(self, part: str) -> Any:
        return self.results[part]["facts"]

    def waits(self) -> dict[str, dict[str, float]]:
        """US dollars per million inferences, by how long they take and who waits."""
        waits: dict[str, dict[str, float]] = {}
        for name, usage in self.cost.get("waits", {}).items():
            seconds, _, who = name.partition(", ")
            waits.setdefault(seconds, {})[who] = usage["usd_per_million"]["total"]
        return waits


def read_found(folder: Path = _BENCHMARKS) -> Found:
    files = ("results.json", "cost/cost.json", "scale.json")
    return Found(*(_read(folder / each) for each in files))


def is_ours(name: str) -> bool:
    """Whether a contestant is of this service."""
    return name.startswith(("record_result", "Client ", "AsyncClient ", "this client "))


def parts_of_price(usages: Iterable[Json]) -> list[str]:
    """Those that any of them has, in the order in which they come up; the total is none."""
    parts = dict.fromkeys(part for usage in usages for part in usage["usd_per_million"])
    return [each for each in parts if each != "total"]


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else {}


def _table(it: Json) -> Table:
    return Table(**{**it, "rows": tuple(map(_row, it["rows"]))})


def _row(it: Json) -> Row:
    ratio = it["ratio"] and Spread(**it["ratio"])
    return Row(**{**it, "value": Spread(**it["value"]), "ratio": ratio})
