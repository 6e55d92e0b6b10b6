"""The tables, in Markdown, by the part of docs/performance.md that they stand in."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from benchmarks.figures.found import Found, Json, is_ours, parts_of_price
from benchmarks.measured import Row, Table, markdown, short

_COLUMNS: Final = 4
"""Of cases side by side, at most."""


def parts(found: Found) -> dict[str, str]:
    """All that the page has a place for; empty where nothing was measured yet."""
    paragraphs = {
        "about": _about(found),
        "targets": _targets(found),
        "processor": _cases(found, "cpu_"),
        "batch": _cases(found, "wall_"),
        "cold-start": map(markdown, found.tables("cold_start").values()),
        "bundle": _bundle(found),
        "readable": _side_by_side(list(found.tables("readable").values())),
        "waiting": _waiting(found),
        "lists": _lists(found),
        "cost": _cost(found),
        "reads": _reads(found),
        "waits": _waits(found),
    }
    return {name: "\n\n".join(each) for name, each in paragraphs.items()}


def _about(found: Found) -> Iterator[str]:
    runs = {f"bench, {name}": each["about"] for name, each in found.results.items()}
    runs |= {"cost": found.cost["about"]} if found.cost else {}
    runs |= {f"scale, {name}": each["about"] for name, each in found.scale.items()}
    by_place: defaultdict[str, list[str]] = defaultdict(list)
    for name, about in runs.items():
        machine, versions = about["machine"], {"Python": about["python"], **about["versions"]}
        place = f"{machine['system']}, {machine['processors']} x {machine['processor']}"
        place += "".join(f", {name} {version}" for name, version in versions.items())
        by_place[place].append(f"- {name}: {about['date']}")
    for place, names in by_place.items():
        yield "\n".join([f"On {place}:", "", *names])
    if found.cost:
        yield "Prices of {date}, {region}.".format(**found.cost["prices"])


def _targets(found: Found) -> Iterator[str]:
    targets = [each for part in found.results.values() for each in part["targets"]]
    targets += found.cost.get("targets", [])
    rows = []
    for each in targets:
        over = 100 * (each["measured"] / each["limit"] - 1)
        met = "met" if each["met"] else f"**not met**: {over:.3g} % over"
        rows.append([each["name"], f"{each['limit']:g} {each['unit']}", short(each["measured"])])
        rows[-1].append(met)
    if rows:
        yield _table(["target", "at most", "measured", ""], rows)


def _cases(found: Found, kind: str) -> Iterator[str]:
    tables = found.tables("per_result").items()
    return _side_by_side([each for name, each in tables if name.startswith(kind)])


def _bundle(found: Found) -> Iterator[str]:
    if "cold_start" not in found.results:
        return
    facts = found.facts("cold_start")
    size = facts["bundle"]
    zipped, unpacked = size["zip_bytes"] / 1e6, size["bytes"] / 1e6
    yield f"{zipped:.2f} MB as a zip, {unpacked:.2f} MB in {size['files']:,} files unpacked."
    rows = [
        [f"`{each['module']}`", short(each["own_ms"]), short(each["with_nested_ms"])]
        for each in facts["imports"]["record_result"]["longest"]
    ]
    header = ["longest imports of record_result", "ms, itself", "ms, with what it imports"]
    yield _table(header, rows)


def _waiting(found: Found) -> Iterator[str]:
    tables = list(found.tables("waiting").values())
    if not tables:
        return
    yield from _side_by_side(tables)
    facts = found.facts("waiting")
    rows = [
        [_named(name), short(longest), *(_ended(facts[how][name]) for how in ("failed", "expired"))]
        for name, longest in facts["longest_delay_s"].items()
    ]
    last = f"(watched for {facts['watched_s']} s)"
    yield _table(["", "longest delay, s", f"one failed {last}", f"one expired {last}"], rows)


def _ended(it: Json) -> str:
    if it["delay_s"] is None:
        return f"waits still, {it['calls']} calls"
    return f"`{it['outcome']}` after {short(it['delay_s'])} s, {it['calls']} calls"


def _lists(found: Found) -> Iterator[str]:
    tables = list(found.tables("lists").values())
    if not tables:
        return
    rows = []
    for times, units in zip(tables[::2], tables[1::2], strict=True):
        calls = [each["calls"] for each in found.facts("lists")[times.title].values()]
        spent = [row.value.median for row in units.rows]
        rows.append([times.title, _same(calls), _same(spent), *map(_cell, times.rows)])
    times = tables[0]
    sizes = (f"{times.unit}, {row.name}" for row in times.rows)
    yield _table(["question", "calls", "read units", *sizes], rows)
    yield _in_brackets(times)


def _same(figures: Iterable[float]) -> str:
    """One if it is the same at every size."""
    return " / ".join(dict.fromkeys(map(short, figures)))


def _cost(found: Found) -> Iterator[str]:
    if found.cost:
        results = found.cost["results"]
        named = {f"{each['name']}, batch {each['batch']}": each for each in results}
        yield _priced("USD per million results", named)
        idle = found.cost["idle_usd_per_month"]
        yield f"Besides, with or without results: {idle:.2f} USD a month for the queues' pollers."


def _reads(found: Found) -> Iterator[str]:
    if found.cost:
        yield _priced("USD per million reads", found.cost["reads"])


def _waits(found: Found) -> Iterator[str]:
    if waits := found.waits():
        names = next(iter(waits.values()))
        rows = [[_named(who), *(short(each[who]) for each in waits.values())] for who in names]
        yield _table(["USD per million inferences that take", *waits], rows)


def _priced(title: str, named: Json) -> str:
    parts = parts_of_price(named.values())
    rows = []
    for name, usage in named.items():
        usd = usage["usd_per_million"]
        cells = (f"{usd[part]:.3f}" if part in usd else "" for part in parts)
        rows.append([name, *cells, f"**{usd['total']:.2f}**"])
    return _table([title, *parts, "total"], rows)


def _side_by_side(tables: Sequence[Table]) -> Iterator[str]:
    """A row for each contestant of the first, a column for each table."""
    for at in range(0, len(tables), _COLUMNS):
        columns = tables[at : at + _COLUMNS]
        by_name = [{row.name: row for row in each.rows} for each in columns]
        names = by_name[0]
        rows = [[_named(name), *(_cell(each.get(name)) for each in by_name)] for name in names]
        yield _table(["", *map(_header, columns)], rows)
    if tables:
        yield _in_brackets(tables[0])


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


def _in_brackets(it: Table) -> str:
    what = f"the ratio to “{it.base}”, and the quartiles of the ratios within the rounds"
    return f"Medians; in brackets {what}."


def _named(name: str) -> str:
    return f"**{name}**" if is_ours(name) else name


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Figures stand at the right: what follows the first column."""
    kinds = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, kinds, *rows))
