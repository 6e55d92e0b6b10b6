"""What the alarms and the dashboard of a template look at."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.conftest import resources


class WatchedMetric(NamedTuple):
    """`dimensions` by name. A value that CloudFormation fills in is its JSON."""

    namespace: str
    name: str
    dimensions: dict[str, str]


def alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of every alarm by logical id."""
    found = resources(template, "AWS::CloudWatch::Alarm").items()
    return {name: each["Properties"] for name, each in found}


def alarm_metrics(template: dict[str, Any]) -> list[WatchedMetric]:
    """Of every alarm every metric, those of metric math included: each is paid for."""
    return [each for alarm in alarms(template).values() for each in metrics_of(alarm)]


def metrics_of(alarm: dict[str, Any]) -> list[WatchedMetric]:
    """The metrics of one alarm."""
    stats = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    return [_read(each["Metric"]) for each in stats] or [_read(alarm)]


def _read(metric: dict[str, Any]) -> WatchedMetric:
    dimensions = {each["Name"]: _text(each["Value"]) for each in metric.get("Dimensions", [])}
    return WatchedMetric(metric["Namespace"], metric["MetricName"], dimensions)


def dashboard_metrics(template: dict[str, Any]) -> list[WatchedMetric]:
    """Of every graph every metric."""
    return [
        each
        for dashboard in resources(template, "AWS::CloudWatch::Dashboard").values()
        for widget in widgets(dashboard)
        for each in _graphed(widget)
    ]


def widgets(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Values that CloudFormation fills in stand as `${logical id}`."""
    joined = dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]
    body = "".join(each if isinstance(each, str) else f"${{{_text(each)}}}" for each in joined)
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def _graphed(widget: dict[str, Any]) -> Iterator[WatchedMetric]:
    for line in widget["properties"]["metrics"]:
        if words := [each for each in line if isinstance(each, str)]:  # else it is math
            namespace, name, *dimensions = words
            pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
            yield WatchedMetric(namespace, name, dict(pairs))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    (found,) = value.values()
    return found if isinstance(found, str) else found[0]
