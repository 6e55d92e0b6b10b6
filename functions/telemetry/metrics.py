"""The metrics of one invocation, written to the log in CloudWatch's embedded metric format (EMF).

docs/operations/metrics.md lists them. Log lines cost money, so each set of dimensions is one line,
and counts of zero are not written.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Final, TypeAlias

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from inference_results.contract import OTHER, Dimension, Metric

_UNITS: Final = {
    Metric.INFERENCE_TIME: MetricUnit.Milliseconds,
    Metric.PIPELINE_LAG: MetricUnit.Milliseconds,
    Metric.PUBLISH_LAG: MetricUnit.Milliseconds,
    Metric.LATENCY: MetricUnit.Milliseconds,
    Metric.OUTPUT_BYTES: MetricUnit.Bytes,
}
"""Units of the metrics that are not counts."""

_Dimensions: TypeAlias = tuple[tuple[Dimension, str], ...]


def known_or_other(known: Collection[str], value: str) -> str:
    """Limit a dimension to a few values: CloudWatch charges for each."""
    return value if value in known else OTHER


class InvocationMetrics:
    """Adds up counts and keeps every other value."""

    def __init__(self) -> None:
        self._lines: defaultdict[_Dimensions, defaultdict[Metric, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def add(self, metric: Metric, value: float = 1, *dimensions: tuple[Dimension, str]) -> None:
        """Add a value with dimensions. Every metric also has the dimension `service`."""
        self._lines[dimensions][metric].append(value)

    def emit(self) -> None:
        """Write the lines to the log."""
        for dimensions, values_by_metric in self._lines.items():
            line = EphemeralMetrics()  # Metrics() shares its state between instances.
            for name, value in dimensions:
                line.add_dimension(name, value)
            for metric, values in values_by_metric.items():
                _add(line, metric, values)
            if line.metric_set:
                line.flush_metrics()


def _add(line: EphemeralMetrics, metric: Metric, values: list[float]) -> None:
    unit = _UNITS.get(metric)
    if unit is None:
        unit = MetricUnit.Count
        values = [total] if (total := sum(values)) else []
    for value in values:
        line.add_metric(metric, unit, value)  # flushes by itself after a hundred values
