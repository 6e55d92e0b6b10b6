"""docs/performance.md: its text is written by hand, its figures by this program."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.figures.charts import charts
from benchmarks.figures.found import Found
from benchmarks.figures.tables import parts

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
PLOTS: Final = PAGE.with_suffix("")

_PART: Final = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(found: Found) -> dict[str, str]:
    """By part what stands between its marks: the plot, if it has one, and the tables."""
    texts = parts(found)
    for name, chart in charts(found).items():
        texts[name] = f"![{chart.title}]({PLOTS.name}/{name}.svg)\n\n{texts[name]}"
    return texts


def fill(page: str, texts: Mapping[str, str]) -> str:
    """Raises ValueError if the page has not exactly one place for each of the texts."""
    places = sorted(found[2] for found in _PART.finditer(page))
    if places != sorted(texts):
        raise ValueError(f"places for {', '.join(places)}; there are {', '.join(sorted(texts))}")
    return _PART.sub(lambda it: it[1] + _apart(texts[it[2]]) + it[3], page)


def _apart(text: str) -> str:
    return f"\n{text}\n\n" if text else ""
