"""Read the results that the benchmarks saved last."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.measurements import Row, Spread, Table

_BENCHMARKS: Final = Path(__file__).resolve().parent.parent

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class SavedResults:
    """Results of `make bench`, `make cost` and `make scale`; empty if one has not run yet."""

    results: Json
    cost: Json
    scale: Json

    def tables(self, part: str) -> dict[str, Table]:
        """Return the tables of a part of results.json, by name."""
        tables = self.results.get(part, {}).get("tables", ())
        return {each["name"]: _table(each) for each in tables}

    def facts(self, part: str) -> Any:
        return self.results[part]["facts"]

    def waits(self) -> dict[str, dict[str, float]]:
        """Return US dollars per million waits, by duration of the inference and by client."""
        waits: dict[str, dict[str, float]] = {}
        for name, usage in self.cost.get("waits", {}).items():
            seconds, _, client = name.partition(", ")
            waits.setdefault(seconds, {})[client] = usage["usd_per_million"]["total"]
        return waits


def read_saved_results(folder: Path = _BENCHMARKS) -> SavedResults:
    files = ("results.json", "cost/cost.json", "scale.json")
    return SavedResults(*(_read(folder / each) for each in files))


def is_ours(name: str) -> bool:
    """Return True if the contestant is part of this project, not a baseline."""
    return name.startswith(("record_result", "Client ", "AsyncClient "))


def price_parts(usages: Iterable[Json]) -> list[str]:
    """Return the parts of the price in order of appearance, without the total."""
    parts = dict.fromkeys(part for usage in usages for part in usage["usd_per_million"])
    return [each for each in parts if each != "total"]


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else {}


def _table(it: Json) -> Table:
    return Table(**{**it, "rows": tuple(map(_row, it["rows"]))})


def _row(it: Json) -> Row:
    ratio = it["ratio"] and Spread(**it["ratio"])
    return Row(**{**it, "value": Spread(**it["value"]), "ratio": ratio})
