"""The CloudWatch dashboard: throughput, results, latencies, backlogs and cost drivers."""

from collections.abc import Iterable, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from inference_results.contract import (
    OTHER,
    SUBMISSION_ROUTES,
    Index,
    Metric,
    Route,
    Service,
    Status,
)

from .metrics import (
    SUM,
    endpoint_metric,
    function_metric,
    log_group_metric,
    queue_metric,
    result_metrics,
    service_metric,
    sum_expression,
    table_metric,
    topic_metric,
)
from .parts import Parts
from .result_channel import ResultChannel
from .settings import WatchedEndpoint

_HOUR = cdk.Duration.hours(1)
_PERCENTILES = ("p50", "p90", "p99")
_FINAL_STATUSES = (Status.COMPLETED, Status.FAILED, Status.EXPIRED, Status.LOST)
_PUBLISH_METRICS = (
    Metric.EVENTS_PUBLISHED,
    Metric.EVENTS_RETRIED,
    Metric.CHANGES_RETURNED,
    Metric.EVENTS_REJECTED,
)
_RECORD_METRICS = (
    Metric.RECORDED,
    Metric.RECORDED_WITH_OUTPUT_ERROR,
    Metric.DUPLICATE,
    Metric.SUPERSEDED,
    Metric.IGNORED,
    Metric.UNPROCESSABLE,
    Metric.MESSAGES_RETURNED,
)
_RECONCILE_METRICS = (
    Metric.RECOVERED_COMPLETED,
    Metric.RECOVERED_FAILED,
    Metric.LOST,
    Metric.OUTPUT_READ,
    Metric.OUTPUT_STILL_UNREADABLE,
    Metric.LEFT_FOR_NEXT_RUN,
)
_Metrics = Iterable[cloudwatch.IMetric]


class Dashboard(Construct):
    """One row of graphs each for throughput, results, latencies, backlogs and costs.

    Endpoints that are not watched share the line `other`.
    """

    def __init__(
        self, scope: Construct, id: str, *, parts: Parts, watched: Sequence[WatchedEndpoint]
    ) -> None:
        super().__init__(scope, id)
        names = tuple(dict.fromkeys(each.name for each in watched))
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=cdk.Duration.days(1),
            widgets=[
                _row(_throughput(parts)),
                _row(_results_by_status((*names, OTHER))),
                _row(_latencies((*names, OTHER), parts)),
                _row(_backlogs(parts, names)),
                _row(_costs(parts)),
            ],
        )


def _row(graphs: Mapping[str, _Metrics]) -> list[cloudwatch.IWidget]:
    return [
        cloudwatch.GraphWidget(title=title, left=list(metrics), width=24 // len(graphs))
        for title, metrics in graphs.items()
    ]


def _throughput(parts: Parts) -> dict[str, _Metrics]:
    graphs: dict[str, _Metrics] = {
        "Published": [
            topic_metric(each.topic, "NumberOfMessagesPublished", label=each.node.id)
            for each in parts.channels
        ],
        "Queued messages (maximum)": [
            queue_metric(each.queue, "ApproximateNumberOfMessagesVisible", label=each.node.id)
            for each in parts.channels
        ],
        "Recorded": [
            service_metric(metric, Service.RECORD_RESULT, label=metric)
            for metric in _RECORD_METRICS
        ],
    }
    if parts.event_dead_letters:
        graphs["Events"] = [
            service_metric(each, Service.PUBLISH_EVENTS, label=each) for each in _PUBLISH_METRICS
        ]
    return graphs


def _results_by_status(endpoints: Sequence[str]) -> dict[str, _Metrics]:
    return {
        status.value: [
            _result_count(endpoint, number, status) for number, endpoint in enumerate(endpoints)
        ]
        for status in _FINAL_STATUSES
    }


def _result_count(endpoint: str, number: int, status: Status) -> cloudwatch.IMetric:
    """Add up the results of all functions. The number keeps metric ids unique within a graph."""
    metrics = {
        f"{name}_{number}": each for name, each in result_metrics(endpoint, [status]).items()
    }
    return cloudwatch.MathExpression(
        expression=sum_expression(metrics), using_metrics=metrics, label=endpoint
    )


def _latencies(endpoints: Sequence[str], parts: Parts) -> dict[str, _Metrics]:
    graphs: dict[str, _Metrics] = {
        f"{metric} of completed inferences (ms)": [
            line for endpoint in endpoints for line in _result_latencies(metric, endpoint)
        ]
        for metric in (Metric.INFERENCE_TIME, Metric.PIPELINE_LAG)
    }
    if parts.event_dead_letters:
        graphs["PublishLag (ms)"] = [
            service_metric(
                Metric.PUBLISH_LAG, Service.PUBLISH_EVENTS, statistic=percentile, label=percentile
            )
            for percentile in _PERCENTILES
        ]
    if parts.api:
        graphs["API latency, p90 (ms)"] = [_route_latency(route) for route in Route]
    return graphs


def _result_latencies(metric: Metric, endpoint: str) -> _Metrics:
    for percentile in _PERCENTILES:
        yield service_metric(
            metric,
            Service.RECORD_RESULT,
            statistic=percentile,
            label=f"{endpoint} {percentile}",
            endpoint=endpoint,
            status=Status.COMPLETED.value,
        )


def _route_latency(route: Route) -> cloudwatch.IMetric:
    service = Service.SUBMISSION_API if route in SUBMISSION_ROUTES else Service.STATUS_API
    return service_metric(Metric.LATENCY, service, statistic="p90", label=route, route=route.value)


def _backlogs(parts: Parts, endpoints: Sequence[str]) -> dict[str, _Metrics]:
    graphs: dict[str, _Metrics] = {
        "Dead letters (maximum)": [
            queue_metric(queue, "ApproximateNumberOfMessagesVisible", label=name)
            for name, queue in parts.dead_letters.items()
        ],
        "Reconciled records": [
            service_metric(metric, Service.RECONCILE, label=metric) for metric in _RECONCILE_METRICS
        ],
    }
    if endpoints:
        graphs["Requests waiting at SageMaker"] = [
            endpoint_metric(name, "ApproximateBacklogSize", label=name) for name in endpoints
        ]
    return graphs


def _costs(parts: Parts) -> dict[str, _Metrics]:
    return {
        "Invocations per hour": _by_function(parts, "Invocations"),
        "Total duration per hour (ms)": _by_function(parts, "Duration"),
        "Write units per hour": _capacity_units(parts, "ConsumedWriteCapacityUnits"),
        "Read units per hour": _capacity_units(parts, "ConsumedReadCapacityUnits"),
        "Log bytes per hour": [
            log_group_metric(handler.log_group, "IncomingBytes", _HOUR, name)
            for name, handler in parts.handlers.items()
        ],
        "Messages per hour": [
            each for channel in parts.channels for each in _message_counts(channel)
        ],
    }


def _message_counts(channel: ResultChannel) -> _Metrics:
    name = channel.node.id
    yield topic_metric(
        channel.topic, "NumberOfNotificationsDelivered", _HOUR, f"{name}: delivered by SNS"
    )
    for kind in ("MessagesReceived", "MessagesDeleted", "EmptyReceives"):
        yield queue_metric(channel.queue, f"NumberOf{kind}", SUM, _HOUR, f"{name}: {kind}")


def _by_function(parts: Parts, metric: str) -> _Metrics:
    return [
        function_metric(handler.function, metric, period=_HOUR, label=name)
        for name, handler in parts.handlers.items()
    ]


def _capacity_units(parts: Parts, metric: str) -> _Metrics:
    return [
        table_metric(parts.table, metric, label="inferences", period=_HOUR),
        *(table_metric(parts.table, metric, index, label=index, period=_HOUR) for index in Index),
        table_metric(parts.summaries_table, metric, label="summaries", period=_HOUR),
    ]
