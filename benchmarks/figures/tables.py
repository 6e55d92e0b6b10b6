"""The Markdown tables of docs/performance.md, by section."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from benchmarks.figures.saved_results import Json, SavedResults, is_ours, price_parts
from benchmarks.measurements import Row, Table, markdown, short

_COLUMNS: Final = 4
"""Maximum number of cases side by side."""


def tables(saved: SavedResults) -> dict[str, str]:
    """Return the tables of all sections. A section without results is empty."""
    paragraphs = {
        "about": _about(saved),
        "targets": _targets(saved),
        "processor": _cases(saved, "cpu_"),
        "batch": _cases(saved, "wall_"),
        "cold-start": map(markdown, saved.tables("cold_start").values()),
        "bundle": _bundle(saved),
        "readable": _side_by_side(list(saved.tables("publish_to_readable").values())),
        "waiting": _waiting(saved),
        "lists": _lists(saved),
        "cost": _cost(saved),
        "reads": _reads(saved),
        "waits": _waits(saved),
    }
    return {name: "\n\n".join(each) for name, each in paragraphs.items()}


def _about(saved: SavedResults) -> Iterator[str]:
    runs = {f"bench, {name}": each["about"] for name, each in saved.results.items()}
    runs |= {"cost": saved.cost["about"]} if saved.cost else {}
    runs |= {f"scale, {name}": each["about"] for name, each in saved.scale.items()}
    by_environment: defaultdict[str, list[str]] = defaultdict(list)
    for name, about in runs.items():
        machine, versions = about["machine"], {"Python": about["python"], **about["versions"]}
        environment = f"{machine['system']}, {machine['processors']} x {machine['processor']}"
        environment += "".join(f", {name} {version}" for name, version in versions.items())
        by_environment[environment].append(f"- {name}: {about['date']}")
    for environment, dates in by_environment.items():
        yield "\n".join([f"On {environment}:", "", *dates])
    if saved.cost:
        yield "Prices of {date}, {region}.".format(**saved.cost["prices"])


def _targets(saved: SavedResults) -> Iterator[str]:
    targets = [each for part in saved.results.values() for each in part["targets"]]
    targets += saved.cost.get("targets", [])
    rows = []
    for each in targets:
        over = 100 * (each["measured"] / each["limit"] - 1)
        met = "met" if each["met"] else f"**not met**: {over:.3g} % over"
        rows.append([each["name"], f"{each['limit']:g} {each['unit']}", short(each["measured"])])
        rows[-1].append(met)
    if rows:
        yield _table(["target", "at most", "measured", ""], rows)


def _cases(saved: SavedResults, prefix: str) -> Iterator[str]:
    cases = saved.tables("per_result").items()
    return _side_by_side([each for name, each in cases if name.startswith(prefix)])


def _bundle(saved: SavedResults) -> Iterator[str]:
    if "cold_start" not in saved.results:
        return
    facts = saved.facts("cold_start")
    size = facts["bundle"]
    zipped, unpacked = size["zip_bytes"] / 1e6, size["bytes"] / 1e6
    yield f"Size: {zipped:.2f} MB zipped; {unpacked:.2f} MB unpacked, in {size['files']:,} files."
    rows = [
        [f"`{each['module']}`", short(each["own_ms"]), short(each["with_nested_ms"])]
        for each in facts["imports"]["record_result"]["longest"]
    ]
    header = ["slowest imports of record_result", "own time, ms", "with nested imports, ms"]
    yield _table(header, rows)


def _waiting(saved: SavedResults) -> Iterator[str]:
    waits = list(saved.tables("waiting").values())
    if not waits:
        return
    yield from _side_by_side(waits)
    facts = saved.facts("waiting")
    rows = [
        [
            _label(name),
            short(longest),
            *(_outcome(facts[kind][name]) for kind in ("failed", "expired")),
        ]
        for name, longest in facts["longest_delay_s"].items()
    ]
    observed = f"(observed for {facts['observed_s']} s)"
    header = [
        "",
        "longest delay, s",
        f"failed inference {observed}",
        f"expired inference {observed}",
    ]
    yield _table(header, rows)


def _outcome(it: Json) -> str:
    if it["delay_s"] is None:
        return f"still waiting, {it['calls']} calls"
    return f"`{it['outcome']}` after {short(it['delay_s'])} s, {it['calls']} calls"


def _lists(saved: SavedResults) -> Iterator[str]:
    lists = list(saved.tables("lists").values())
    if not lists:
        return
    rows = []
    for times, units in zip(lists[::2], lists[1::2], strict=True):
        calls = [each["calls"] for each in saved.facts("lists")[times.title].values()]
        read_units = [row.value.median for row in units.rows]
        rows.append([times.title, _distinct(calls), _distinct(read_units), *map(_cell, times.rows)])
    times = lists[0]
    sizes = (f"{times.unit}, {row.name}" for row in times.rows)
    yield _table(["query", "calls", "read units", *sizes], rows)
    yield _legend(times)


def _distinct(figures: Iterable[float]) -> str:
    """Show a figure once if it is the same at every size."""
    return " / ".join(dict.fromkeys(map(short, figures)))


def _cost(saved: SavedResults) -> Iterator[str]:
    if saved.cost:
        results = saved.cost["results"]
        named = {f"{each['name']}, batch {each['batch']}": each for each in results}
        yield _priced("USD per million results", named)
        idle = saved.cost["idle_usd_per_month"]
        yield f"The pollers of the queues add {idle:.2f} USD per month, regardless of load."


def _reads(saved: SavedResults) -> Iterator[str]:
    if saved.cost:
        yield _priced("USD per million reads", saved.cost["reads"])


def _waits(saved: SavedResults) -> Iterator[str]:
    if waits := saved.waits():
        clients = next(iter(waits.values()))
        rows = [
            [_label(client), *(short(each[client]) for each in waits.values())]
            for client in clients
        ]
        yield _table(["USD per million inferences that take", *waits], rows)


def _priced(title: str, named: Json) -> str:
    parts = price_parts(named.values())
    rows = []
    for name, usage in named.items():
        usd = usage["usd_per_million"]
        cells = (f"{usd[part]:.3f}" if part in usd else "" for part in parts)
        rows.append([name, *cells, f"**{usd['total']:.2f}**"])
    return _table([title, *parts, "total"], rows)


def _side_by_side(measured: Sequence[Table]) -> Iterator[str]:
    """Format several tables as one: a column per table, with the first one's contestants."""
    for at in range(0, len(measured), _COLUMNS):
        columns = measured[at : at + _COLUMNS]
        by_name = [{row.name: row for row in each.rows} for each in columns]
        names = by_name[0]
        rows = [[_label(name), *(_cell(each.get(name)) for each in by_name)] for name in names]
        yield _table(["", *map(_header, columns)], rows)
    if measured:
        yield _legend(measured[0])


def _header(it: Table) -> str:
    rounds = it.rows[0].rounds
    text = f"{it.title.rpartition(': ')[2]}, {it.unit}"
    return text if rounds == 1 else f"{text} ({rounds} rounds)"


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    text = short(row.value.median)
    if row.ratio is None:
        return text
    spread = f"; {short(row.ratio.low)} to {short(row.ratio.high)}" if row.rounds > 1 else ""
    return f"{text} ({short(row.ratio.median)}{spread})"


def _legend(it: Table) -> str:
    return (
        f"Medians. In parentheses: the ratio to “{it.base}” and the quartiles of the ratios within "
        "the rounds."
    )


def _label(name: str) -> str:
    return f"**{name}**" if is_ours(name) else name


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table. All columns but the first are right-aligned."""
    alignment = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, alignment, *rows))
