"""What an invocation measured, as lines that CloudWatch reads out of the log (EMF).

docs/operations/metrics.md lists the metrics. A line costs as any line of a log does, so there is one for each
set of dimensions, and none for what did not happen.
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
"""Of what is no count."""

_Dimensions: TypeAlias = tuple[tuple[Dimension, str], ...]


def known_or_other(known: Collection[str], value: str) -> str:
    """The value of a dimension, which must be one of a few: each makes a metric."""
    return value if value in known else OTHER


class InvocationMetrics:
    """Counts are added up, everything else is kept value by value."""

    def __init__(self) -> None:
        self._lines: defaultdict[_Dimensions, defaultdict[Metric, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def add(self, metric: Metric, value: float = 1, *dimensions: tuple[Dimension, str]) -> None:
        """Besides the dimensions that are named, each metric has `service`."""
        self._lines[dimensions][metric].append(value)

    def emit(self) -> None:
        """Write the lines."""
        for dimensions, measured in self._lines.items():
            line = EphemeralMetrics()  # Metrics() would share its state with all others
            for name, value in dimensions:
                line.add_dimension(name, value)
            for metric, values in measured.items():
                _add(line, metric, values)
            if line.metric_set:
                line.flush_metrics()


def _add(line: EphemeralMetrics, metric: Metric, values: list[float]) -> None:
    unit = _UNITS.get(metric)
    if unit is None:
        unit = MetricUnit.Count
        values = [total] if (total := sum(values)) else []
    for value in values:
        line.add_metric(metric, unit, value)  # writes a line by itself when it has a hundred
