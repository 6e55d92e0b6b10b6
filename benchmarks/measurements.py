"""Results of a benchmark: medians with quartiles, and ratios to a base of the same run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, TypeAlias

Rounds: TypeAlias = Mapping[str, Sequence[float]]
"""One value per round, by contestant. In a round all contestants run concurrently or directly one
after another, which makes the values of a round comparable under any load of the machine."""


@dataclass(frozen=True)
class Spread:
    """A median with its lower and upper quartile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high)


@dataclass(frozen=True)
class Row:
    """The value of one contestant, and its ratio to the base (None for the base)."""

    name: str
    value: Spread
    rounds: int
    ratio: Spread | None


@dataclass(frozen=True)
class Table:
    """One measured quantity. `name` is unique in results.json, `base` names the ratios' row."""

    name: str
    title: str
    unit: str
    base: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Target:
    """An upper limit for a measured value, both in `unit` (`x` for a ratio)."""

    name: str
    unit: str
    limit: float
    measured: float

    @property
    def met(self) -> bool:
        return self.measured <= self.limit

    def __str__(self) -> str:
        met = "met" if self.met else "NOT MET"
        return f"{self.name}: {self.measured:.3g} of at most {self.limit:g} {self.unit}: {met}"


@dataclass(frozen=True)
class Part:
    """The results of one part: tables, targets, and other `facts`."""

    tables: tuple[Table, ...]
    targets: tuple[Target, ...] = ()
    facts: Mapping[str, Any] | None = None


def table(name: str, title: str, unit: str, rounds: Rounds, base: str) -> Table:
    """Build a table with one row per contestant.

    A ratio is the ratio of the medians. Its quartiles are those of the ratios within the rounds.
    """
    rows = []
    for contestant, values in rounds.items():
        ratio = None
        if contestant != base:
            by_round = Spread.of([a / b for a, b in zip(values, rounds[base], strict=True)])
            ratio_of_medians = median(values) / median(rounds[base])
            ratio = Spread(ratio_of_medians, by_round.low, by_round.high)
        rows.append(Row(contestant, Spread.of(values), len(values), ratio))
    return Table(name, title, unit, base, tuple(rows))


def markdown(it: Table) -> str:
    """Format a table as Markdown, with one line per contestant."""
    lines = [
        f"| {it.title} | median, {it.unit} | quartiles | x {it.base} | quartiles |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in it.rows:
        ratio = ("1", "") if row.ratio is None else (short(row.ratio.median), _range(row.ratio))
        lines.append(
            f"| {row.name} | {short(row.value.median)} | {_range(row.value)} "
            f"| {ratio[0]} | {ratio[1]} |"
        )
    return "\n".join(lines)


def _range(spread: Spread) -> str:
    return f"{short(spread.low)} to {short(spread.high)}"


def short(value: float) -> str:
    """Format with three significant digits, or as an integer from 100."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
