"""Results of a benchmark: medians, and ratios to a base of the same run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, NamedTuple, TypeAlias

Rounds: TypeAlias = Mapping[str, Sequence[float]]
"""One value per round, by contestant. In a round all contestants run concurrently or directly one
after another, which makes the values of a round comparable under any load of the machine."""


class Ratio(NamedTuple):
    """The ratio of two medians, and the quartiles of the ratios within the rounds."""

    of_medians: float
    low: float
    high: float


class Row(NamedTuple):
    """The median of one contestant, and its ratio to the base (None for the base)."""

    name: str
    rounds: int
    median: float
    ratio: Ratio | None


@dataclass(frozen=True)
class Table:
    """One measured quantity. `name` is unique in its part, `base` names the ratios' row."""

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


@dataclass(frozen=True)
class Part:
    """The results of one part: tables, targets, and other `facts`."""

    tables: tuple[Table, ...] = ()
    targets: tuple[Target, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def table(name: str, title: str, unit: str, rounds: Rounds, base: str) -> Table:
    """Build a table with one row per contestant."""
    rows = (
        Row(
            contestant,
            len(values),
            median(values),
            None if contestant == base else _ratio(values, rounds[base]),
        )
        for contestant, values in rounds.items()
    )
    return Table(name, title, unit, base, tuple(rows))


def _ratio(values: Sequence[float], base: Sequence[float]) -> Ratio:
    by_round = [value / of_base for value, of_base in zip(values, base, strict=True)]
    low, _, high = quantiles(by_round * (2 if len(by_round) == 1 else 1), n=4, method="inclusive")
    return Ratio(median(values) / median(base), low, high)


def short(value: float) -> str:
    """Format with three significant digits, or as an integer from 100."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
