"""`python -m benchmarks.figures` fills in docs/performance.md and draws its plots."""

from benchmarks.figures.charts import charts
from benchmarks.figures.drawing import draw
from benchmarks.figures.page import PAGE, PLOTS, fill, sections
from benchmarks.figures.saved_results import read_saved_results


def main() -> None:
    saved = read_saved_results()
    PAGE.write_text(fill(PAGE.read_text(), sections(saved)))
    PLOTS.mkdir(exist_ok=True)
    for old in PLOTS.glob("*.svg"):
        old.unlink()
    for name, chart in charts(saved).items():
        draw(chart, PLOTS / f"{name}.svg")


if __name__ == "__main__":
    main()
