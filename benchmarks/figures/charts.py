"""The data of the plots in docs/performance.md, by section. `drawing` draws them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.figures.saved_results import SavedResults, is_ours, price_parts
from benchmarks.measurements import Spread, Table


@dataclass(frozen=True)
class Panel:
    """Bars by name, and lines across them at `marks`. `axis` includes the unit."""

    title: str
    axis: str
    bars: Mapping[str, Spread]
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Bars:
    """Panels side by side. The first has all names; the others can lack some."""

    title: str
    panels: Sequence[Panel]
    ours: frozenset[str]
    logarithmic: bool = False


@dataclass(frozen=True)
class Stacks:
    """Stacked bars: the lengths of their parts, by name."""

    title: str
    axis: str
    parts: Sequence[str]
    stacks: Mapping[str, Mapping[str, float]]


Chart: TypeAlias = Bars | Stacks


def charts(saved: SavedResults) -> dict[str, Chart]:
    """Return the charts of all parts with results."""
    return dict(_charts(saved))


def _charts(saved: SavedResults) -> Iterator[tuple[str, Chart]]:
    if tables := saved.tables("per_result"):
        cases = [tables[f"cpu_{each}_10"] for each in ("new", "duplicate", "registered")]
        yield "processor", _bars("CPU time per result", cases)
        yield "batch", _bars("Duration of a batch of 10", [tables["wall_latency_10"]])
    if tables := saved.tables("cold_start"):
        yield "cold-start", _cold_start(tables["cold_start"])
    if tables := saved.tables("publish_to_readable"):
        yield "readable", _bars("From publish to readable", list(tables.values()))
    if tables := saved.tables("waiting"):
        yield "waiting", _bars("Waiting for inferences of about a minute", list(tables.values()))
    if saved.cost:
        yield "cost", _cost(saved)
        yield "waits", _waits(saved)


def _bars(title: str, tables: Sequence[Table]) -> Bars:
    panels = []
    for each in tables:
        quantity, _, case = each.title.rpartition(": ")
        bars = {row.name: row.value for row in each.rows}
        panels.append(Panel(case, ", ".join(filter(None, [quantity, each.unit])), bars))
    return Bars(title, panels, frozenset(filter(is_ours, panels[0].bars)))


def _cold_start(it: Table) -> Bars:
    """Show the rows up to the base as lines, and the others as bars."""
    values = {row.name: row.value for row in it.rows}
    at = list(values).index(it.base) + 1
    marks = {name: values[name].median for name in list(values)[:at]}
    bars = {name: values[name] for name in list(values)[at:]}
    ours = frozenset(name for name in bars if "," not in name)
    return Bars("Cold start", [Panel("", f"time, {it.unit}", bars, marks)], ours)


def _cost(saved: SavedResults) -> Stacks:
    results = saved.cost["results"]
    parts = price_parts(results)
    stacks = {
        f"{each['name']}, batch {each['batch']}": {
            part: each["usd_per_million"].get(part, 0) for part in parts
        }
        for each in results
    }
    return Stacks("Cost of results", "USD per million results", parts, stacks)


def _waits(saved: SavedResults) -> Bars:
    panels = [
        Panel(
            f"inferences of {seconds}",
            "USD per million inferences",
            {client: Spread.of([usd]) for client, usd in usd_by_client.items()},
        )
        for seconds, usd_by_client in saved.waits().items()
    ]
    return Bars("Cost of waiting", panels, frozenset(filter(is_ours, panels[0].bars)), True)
