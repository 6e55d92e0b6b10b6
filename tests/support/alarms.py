"""The metrics that a template's alarms and dashboard use."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.support.cloudformation import resources


class WatchedMetric(NamedTuple):
    """A metric with its dimensions by name. A reference is replaced by its logical id."""

    namespace: str
    name: str
    dimensions: dict[str, str]


def alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the properties of every alarm by logical id."""
    found = resources(template, "AWS::CloudWatch::Alarm").items()
    return {name: each["Properties"] for name, each in found}


def alarm_metrics(template: dict[str, Any]) -> list[WatchedMetric]:
    """Return the metrics of all alarms, including those of metric math: each costs money."""
    return [each for alarm in alarms(template).values() for each in metrics_in(alarm)]


def metrics_in(alarm: dict[str, Any]) -> list[WatchedMetric]:
    """Return the metrics of one alarm."""
    stats = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    return [_parse_metric(each["Metric"]) for each in stats] or [_parse_metric(alarm)]


def _parse_metric(metric: dict[str, Any]) -> WatchedMetric:
    dimensions = {each["Name"]: _to_text(each["Value"]) for each in metric.get("Dimensions", [])}
    return WatchedMetric(metric["Namespace"], metric["MetricName"], dimensions)


def dashboard_metrics(template: dict[str, Any]) -> list[WatchedMetric]:
    """Return the metrics of all graphs."""
    return [
        each
        for dashboard in resources(template, "AWS::CloudWatch::Dashboard").values()
        for widget in widgets(dashboard)
        for each in _metrics_in_widget(widget)
    ]


def widgets(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a dashboard's widgets, with references as `${logical id}`."""
    joined = dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]
    body = "".join(each if isinstance(each, str) else f"${{{_to_text(each)}}}" for each in joined)
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def _metrics_in_widget(widget: dict[str, Any]) -> Iterator[WatchedMetric]:
    for line in widget["properties"]["metrics"]:
        if words := [each for each in line if isinstance(each, str)]:  # otherwise metric math
            namespace, name, *dimensions = words
            pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
            yield WatchedMetric(namespace, name, dict(pairs))


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    (found,) = value.values()
    return found if isinstance(found, str) else found[0]
