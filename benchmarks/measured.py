"""What a measurement gives: medians with their spread, and ratios to a base of the same run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, TypeAlias

Rounds: TypeAlias = Mapping[str, Sequence[float]]
"""By contestant, one value a round. In a round all of them ran side by side, or right after each
other, so that the values of a round may be compared whatever else the machine did."""


@dataclass(frozen=True)
class Spread:
    """The median, and the quartiles around it."""

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
    """A contestant: what it took, and how that compares to the base (None for the base itself)."""

    name: str
    value: Spread
    rounds: int
    ratio: Spread | None


@dataclass(frozen=True)
class Table:
    """`name` is its key in results.json. `title` says what was measured, `unit` in what, `base`
    which row the ratios are to."""

    name: str
    title: str
    unit: str
    base: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Target:
    """`measured` shall be at most `limit`, both in `unit` (`x` for a ratio)."""

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
    """What one part of the benchmark found: tables, targets, and what else `facts` tell."""

    tables: tuple[Table, ...]
    targets: tuple[Target, ...] = ()
    facts: Mapping[str, Any] | None = None


def table(name: str, title: str, unit: str, rounds: Rounds, base: str) -> Table:
    """The rows in the order of `rounds`. A ratio is that of the medians; its spread is that of the
    ratios within the rounds."""
    rows = []
    for contestant, values in rounds.items():
        ratio = None
        if contestant != base:
            within = Spread.of([a / b for a, b in zip(values, rounds[base], strict=True)])
            of_medians = median(values) / median(rounds[base])
            ratio = Spread(of_medians, within.low, within.high)
        rows.append(Row(contestant, Spread.of(values), len(values), ratio))
    return Table(name, title, unit, base, tuple(rows))


def markdown(it: Table) -> str:
    """As it is printed, and as it stands in docs/performance.md."""
    lines = [
        f"| {it.title} | {it.unit} (median) | quartiles | x {it.base} | quartiles |",
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
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
