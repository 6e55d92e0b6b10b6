"""The text of each generated section of docs/performance.md."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.figures.tables import (
    cell,
    label,
    legend,
    markdown,
    priced,
    side_by_side,
    targets,
)
from benchmarks.measurements import Part, short
from benchmarks.summary import SavedPart


def sections(saved: Mapping[str, SavedPart]) -> dict[str, str]:
    """Return the text of each section, by name. Raises KeyError if a part has not run."""
    parts = {name: each.part for name, each in saved.items()}
    usd = parts["cost"].facts["usd_per_million"]
    return {
        "about": _about(saved),
        "targets": targets(target for each in parts.values() for target in each.targets),
        "processor": _cases(parts["per_result"], "cpu_"),
        "batch": _cases(parts["per_result"], "wall_"),
        "cold-start": side_by_side(parts["cold_start"].tables),
        "bundle": _bundle(parts["cold_start"].facts["bundle"]),
        "readable": side_by_side(parts["publish_to_readable"].tables),
        "waiting": _waiting(parts["waiting"]),
        "lists": _lists(parts["lists"]),
        "cost": _cost(parts["cost"].facts),
        "reads": priced("USD per million reads", usd["reads"]),
        "waits": _waits(usd["waits"]),
    }


def _about(saved: Mapping[str, SavedPart]) -> str:
    by_environment: defaultdict[str, list[str]] = defaultdict(list)
    for name, each in saved.items():
        by_environment[each.environment].append(f"- {name}: {each.date}")
    paragraphs = [
        "\n".join([f"On {environment}:", "", *dates])
        for environment, dates in by_environment.items()
    ]
    prices = saved["cost"].part.facts["prices"]
    return "\n\n".join([*paragraphs, f"Prices of {prices['date']}, {prices['region']}."])


def _cases(part: Part, prefix: str) -> str:
    return side_by_side([each for each in part.tables if each.name.startswith(prefix)])


def _bundle(size: Mapping[str, int]) -> str:
    zipped, unpacked = size["zip_bytes"] / 1e6, size["bytes"] / 1e6
    return f"Size: {zipped:.2f} MB zipped; {unpacked:.2f} MB unpacked, in {size['files']:,} files."


def _waiting(part: Part) -> str:
    facts = part.facts
    observed = f"(observed for {facts['observed_s']} s)"
    header = ["", "longest delay, s"]
    header += [f"{kind} inference {observed}" for kind in ("failed", "expired")]
    rows = [
        [label(name), short(longest), _end(facts["failed"][name]), _end(facts["expired"][name])]
        for name, longest in facts["longest_delay_s"].items()
    ]
    return f"{side_by_side(part.tables)}\n\n{markdown(header, rows)}"


def _end(it: Mapping[str, Any]) -> str:
    if it["delay_s"] is None:
        return f"still waiting, {it['calls']} calls"
    return f"`{it['outcome']}` after {short(it['delay_s'])} s, {it['calls']} calls"


def _lists(part: Part) -> str:
    rows = []
    for each in part.tables:
        reads = part.facts[each.title]
        counts = (_distinct(reads[kind]) for kind in ("calls", "read units"))
        rows.append([each.title, *counts, *map(cell, each.rows)])
    times = part.tables[0]
    sizes = (f"{times.unit}, {row.name}" for row in times.rows)
    table = markdown(["query", "calls", "read units", *sizes], rows)
    return f"{table}\n\n{legend(times)}"


def _distinct(counts: Iterable[float]) -> str:
    """Show a count once if it is the same for every size."""
    return " / ".join(dict.fromkeys(map(short, counts)))


def _cost(facts: Mapping[str, Any]) -> str:
    idle = f"{facts['idle_usd_per_month']:.2f} USD per month, regardless of load"
    table = priced("USD per million results", facts["usd_per_million"]["results"])
    return f"{table}\n\nThe pollers of the queues add {idle}."


def _waits(usd: Mapping[str, Mapping[str, float]]) -> str:
    header = ["USD per million inferences that take", *next(iter(usd.values()))]
    rows = [[label(client), *map(short, by_time.values())] for client, by_time in usd.items()]
    return markdown(header, rows)
