"""Format results as Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from benchmarks.measurements import Row, Table, Target, short

_COLUMNS: Final = 4
"""Maximum number of cases side by side."""


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table. All columns but the first are right-aligned."""
    alignment = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, alignment, *rows))


def label(name: str) -> str:
    """Print this project's contestants in bold."""
    ours = name.startswith(("record_result", "Client ", "AsyncClient "))
    return f"**{name}**" if ours else name


def targets(them: Iterable[Target]) -> str:
    rows = []
    for each in them:
        over = 100 * (each.measured / each.limit - 1)
        met = "met" if each.met else f"**not met**: {over:.3g} % over"
        rows.append([each.name, f"{each.limit:g} {each.unit}", short(each.measured), met])
    return markdown(["target", "at most", "measured", ""], rows)


def side_by_side(measured: Sequence[Table]) -> str:
    """Format tables as one: a column per table, with the first one's contestants."""
    paragraphs = []
    for at in range(0, len(measured), _COLUMNS):
        columns = measured[at : at + _COLUMNS]
        by_name = [{row.name: row for row in each.rows} for each in columns]
        rows = [[label(name), *(cell(it.get(name)) for it in by_name)] for name in by_name[0]]
        header = (f"{_case(it)}, {it.unit} ({it.rows[0].rounds} rounds)" for it in columns)
        paragraphs.append(markdown(["", *header], rows))
    return "\n\n".join([*paragraphs, legend(measured[0])])


def _case(it: Table) -> str:
    """Return the title without the measured quantity, which the tables side by side share."""
    return it.title.rpartition(": ")[2]


def cell(row: Row | None) -> str:
    if row is None:
        return ""
    text = short(row.median)
    if row.ratio is None:
        return text
    return f"{text} ({short(row.ratio[0])}; {short(row.ratio[1])} to {short(row.ratio[2])})"


def legend(it: Table) -> str:
    return (
        f"Medians. In parentheses: the ratio to “{it.base}” and the quartiles of the ratios within "
        "the rounds."
    )


def priced(title: str, usd: Mapping[str, Mapping[str, float]]) -> str:
    """Format prices: a row for each name, a column for each part, and the total."""
    parts = dict.fromkeys(part for of_row in usd.values() for part in of_row)
    rows = [
        [
            name,
            *(f"{of_row[part]:.3f}" if part in of_row else "" for part in parts),
            f"**{sum(of_row.values()):.2f}**",
        ]
        for name, of_row in usd.items()
    ]
    return markdown([title, *parts, "total"], rows)
