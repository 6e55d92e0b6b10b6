"""Draw charts as SVG. The same data always gives the same files."""

from pathlib import Path
from typing import Any, Final

import matplotlib  # type: ignore[import-not-found]
from matplotlib.figure import Figure  # type: ignore[import-not-found]

from benchmarks.figures.charts import Bars, Chart, Panel, Stacks
from benchmarks.measurements import short

_OURS, _BASELINE, _TEXT = "#0b5fad", "#a3a9b0", "#222222"
_PARTS: Final = matplotlib.colormaps["tab20"].colors

matplotlib.rcParams |= {
    "svg.hashsalt": "performance",
    "svg.fonttype": "none",  # keep text as text: smaller files, and viewers choose the font
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _TEXT,
    "figure.facecolor": "white",
}


def draw(chart: Chart, path: Path) -> None:
    names = list(chart.panels[0].bars if isinstance(chart, Bars) else chart.stacks)
    figure = Figure(figsize=(9.6, 1.2 + 0.3 * len(names)), layout="constrained")
    figure.suptitle(chart.title, fontweight="bold", fontsize=11)
    if isinstance(chart, Bars):
        _bars(figure, chart, names)
    else:
        _stacks(figure, chart, names)
    figure.axes[0].set_yticks(range(len(names)), names)
    figure.axes[0].set_ylim(len(names) - 0.4, -0.6)  # first bar on top
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def _bars(figure: Any, chart: Bars, names: list[str]) -> None:
    columns, shared = len(chart.panels), chart.logarithmic
    all_axes = figure.subplots(1, columns, sharex=shared, sharey=True, squeeze=False)[0]
    for axes, panel in zip(all_axes, chart.panels, strict=True):
        _lines(axes, panel)
        for at, name in enumerate(names):
            if value := panel.bars.get(name):
                color = _OURS if name in chart.ours else _BASELINE
                axes.barh(at, value.median, 0.7, color=color)
                axes.plot([value.low, value.high], [at, at], color=_TEXT, linewidth=1)
                _label(axes, at, value.high, short(value.median))
        axes.set_title(panel.title)
        axes.set_xlabel(panel.axis)
        axes.margins(x=0.3)
        if chart.logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")


def _lines(axes: Any, panel: Panel) -> None:
    for name, value in panel.marks.items():
        axes.axvline(value, color=_TEXT, linestyle="--", linewidth=1)
        axes.annotate(f"{name}: {short(value)}", (value, -0.6), ha="center", va="bottom")


def _label(axes: Any, at: int, end: float, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    axes.annotate(text, (end, at), (4, 0), textcoords="offset points", va="center", bbox=box)


def _stacks(figure: Any, chart: Stacks, names: list[str]) -> None:
    axes = figure.subplots()
    ends = [0.0] * len(names)
    for part, color in zip(chart.parts, _PARTS, strict=False):
        lengths = [chart.stacks[name][part] for name in names]
        axes.barh(range(len(names)), lengths, 0.7, ends, color=color, label=part)
        ends = [end + length for end, length in zip(ends, lengths, strict=True)]
    for at, end in enumerate(ends):
        _label(axes, at, end, f"{end:.2f}")
    axes.set_xlabel(chart.axis)
    axes.margins(x=0.1)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
