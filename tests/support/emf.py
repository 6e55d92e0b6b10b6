"""Parse metrics from logs, as CloudWatch does (embedded metric format, EMF)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

MAX_VALUES = 100
"""Values of one metric in a line."""
MAX_METRICS = 100
"""Metrics in a line."""


@dataclass(frozen=True)
class EmittedMetric:
    """The values of one metric in a line. `dimensions` are names and values, sorted by name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    values: tuple[float, ...]

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Return what identifies a metric in CloudWatch, which charges for each of them."""
        return self.namespace, self.name, self.dimensions


def emf_lines(output: str) -> list[str]:
    """Return the lines that CloudWatch parses as metrics."""
    return [line for line in output.splitlines() if line.startswith('{"_aws"')]


def parse_metrics(output: str) -> list[EmittedMetric]:
    """Return the metrics in an output. A line that CloudWatch would reject fails an assertion."""
    return [each for line in emf_lines(output) for each in _parse_line(json.loads(line))]


def _parse_line(line: dict) -> Iterable[EmittedMetric]:
    assert isinstance(line["_aws"]["Timestamp"], int)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert 1 <= len(directive["Metrics"]) <= MAX_METRICS
        for names in directive["Dimensions"]:
            dimensions = tuple(sorted((name, line[name]) for name in names))
            assert all(value and isinstance(value, str) for _, value in dimensions)
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                assert 1 <= len(values) <= MAX_VALUES
                yield EmittedMetric(
                    directive["Namespace"],
                    metric["Name"],
                    dimensions,
                    metric["Unit"],
                    tuple(values),
                )
