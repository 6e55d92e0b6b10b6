"""Fill the generated sections of docs/performance.md. The text between them is written by hand."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.figures.charts import charts
from benchmarks.figures.saved_results import SavedResults
from benchmarks.figures.tables import tables

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
PLOTS: Final = PAGE.with_suffix("")

_SECTION: Final = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def sections(saved: SavedResults) -> dict[str, str]:
    """Return the text of each section: its plot, if any, and its tables."""
    texts = tables(saved)
    for name, chart in charts(saved).items():
        texts[name] = f"![{chart.title}]({PLOTS.name}/{name}.svg)\n\n{texts[name]}"
    return texts


def fill(page: str, texts: Mapping[str, str]) -> str:
    """Replace the text of each section. Raises ValueError unless the page has each exactly once."""
    marked = sorted(match[2] for match in _SECTION.finditer(page))
    if marked != sorted(texts):
        raise ValueError(
            f"{PAGE.name}: expected the sections {', '.join(sorted(texts))}; "
            f"got {', '.join(marked) or 'none'}"
        )
    return _SECTION.sub(lambda it: it[1] + _padded(texts[it[2]]) + it[3], page)


def _padded(text: str) -> str:
    return f"\n{text}\n\n" if text else ""
