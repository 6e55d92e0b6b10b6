"""What the plots show, by the part of docs/performance.md that they stand in; not how."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.figures.found import Found, is_ours, parts_of_price
from benchmarks.measured import Spread, Table


@dataclass(frozen=True)
class Panel:
    """Bars by name, and lines across them at `marks`; `axis` is with its unit."""

    title: str
    axis: str
    bars: Mapping[str, Spread]
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Bars:
    """Panels side by side, all with the names of the first, or some of these."""

    title: str
    panels: Sequence[Panel]
    ours: frozenset[str]
    logarithmic: bool = False


@dataclass(frozen=True)
class Stacks:
    """By name the lengths of the parts that add up."""

    title: str
    axis: str
    parts: Sequence[str]
    stacks: Mapping[str, Mapping[str, float]]


Chart: TypeAlias = Bars | Stacks


def charts(found: Found) -> dict[str, Chart]:
    """Those of which something was measured."""
    return dict(_charts(found))


def _charts(found: Found) -> Iterator[tuple[str, Chart]]:
    if tables := found.tables("per_result"):
        cases = [tables[f"cpu_{each}_10"] for each in ("first", "duplicate", "registered")]
        yield "processor", _bars("Processor time per result", cases)
        yield "batch", _bars("Time of a batch of 10", [tables["wall_waiting_10"]])
    if tables := found.tables("cold_start"):
        yield "cold-start", _cold_start(tables["cold_start"])
    if tables := found.tables("readable"):
        yield "readable", _bars("From publish to readable", list(tables.values()))
    if tables := found.tables("waiting"):
        yield "waiting", _bars("Waiting for an inference of a minute", list(tables.values()))
    if found.cost:
        yield "cost", _cost(found)
        yield "waits", _waits(found)


def _bars(title: str, tables: Sequence[Table]) -> Bars:
    panels = []
    for each in tables:
        what, _, case = each.title.rpartition(": ")
        bars = {row.name: row.value for row in each.rows}
        panels.append(Panel(case, ", ".join(filter(None, [what, each.unit])), bars))
    return Bars(title, panels, frozenset(filter(is_ours, panels[0].bars)))


def _cold_start(it: Table) -> Bars:
    """The base and what stands before it, an empty handler, are lines."""
    values = {row.name: row.value for row in it.rows}
    at = list(values).index(it.base) + 1
    marks = {name: values[name].median for name in list(values)[:at]}
    bars = {name: values[name] for name in list(values)[at:]}
    ours = frozenset(name for name in bars if "," not in name)
    return Bars("Cold start", [Panel("", f"time, {it.unit}", bars, marks)], ours)


def _cost(found: Found) -> Stacks:
    results = found.cost["results"]
    parts = parts_of_price(results)
    stacks = {
        f"{each['name']}, batch {each['batch']}": {
            part: each["usd_per_million"].get(part, 0) for part in parts
        }
        for each in results
    }
    return Stacks("Cost of results", "USD per million results", parts, stacks)


def _waits(found: Found) -> Bars:
    panels = [
        Panel(
            f"inferences of {seconds}",
            "USD per million inferences",
            {who: Spread.of([usd]) for who, usd in usd_of.items()},
        )
        for seconds, usd_of in found.waits().items()
    ]
    return Bars("Cost of waiting", panels, frozenset(filter(is_ours, panels[0].bars)), True)
