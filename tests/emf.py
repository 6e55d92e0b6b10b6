"""Metrics as CloudWatch reads them out of a log (EMF)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

MOST_VALUES = 100
"""Of one metric in a line."""


@dataclass(frozen=True)
class Measured:
    """Values of one metric. `dimensions` are names and values, sorted by name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    values: tuple[float, ...]

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """What CloudWatch keeps, shows, and charges for, as one metric."""
        return self.namespace, self.name, self.dimensions


def emf_lines(output: str) -> list[str]:
    """The lines of an output that CloudWatch takes for metrics."""
    return [line for line in output.splitlines() if line.startswith('{"_aws"')]


def measured(output: str) -> list[Measured]:
    """The metrics in an output. A line that CloudWatch would refuse fails an assertion."""
    return [each for line in emf_lines(output) for each in _measured(json.loads(line))]


def _measured(line: dict) -> Iterable[Measured]:
    assert isinstance(line["_aws"]["Timestamp"], int)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert 1 <= len(directive["Metrics"]) <= 100
        for names in directive["Dimensions"]:
            dimensions = tuple(sorted((name, line[name]) for name in names))
            assert all(value and isinstance(value, str) for _, value in dimensions)
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                assert 1 <= len(values) <= MOST_VALUES
                yield Measured(
                    directive["Namespace"],
                    metric["Name"],
                    dimensions,
                    metric["Unit"],
                    tuple(values),
                )
