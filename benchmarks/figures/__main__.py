"""`python -m benchmarks.figures`: fill docs/performance.md, and draw its plots."""

from benchmarks.figures.charts import charts
from benchmarks.figures.drawing import draw
from benchmarks.figures.found import read_found
from benchmarks.figures.page import PAGE, PLOTS, fill, written


def main() -> None:
    found = read_found()
    PAGE.write_text(fill(PAGE.read_text(), written(found)))
    PLOTS.mkdir(exist_ok=True)
    for old in PLOTS.glob("*.svg"):
        old.unlink()
    for name, chart in charts(found).items():
        draw(chart, PLOTS / f"{name}.svg")


if __name__ == "__main__":
    main()
