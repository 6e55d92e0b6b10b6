"""The dashboard: from what is published to what is told, and what it costs."""

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
    of_endpoint,
    of_function,
    of_log_group,
    of_queue,
    of_service,
    of_table,
    of_topic,
    results,
    total,
)
from .parts import Parts
from .result_channel import ResultChannel
from .settings import WatchedEndpoint

_HOUR = cdk.Duration.hours(1)
_PERCENTILES = ("p50", "p90", "p99")
_OUTCOMES = (Status.COMPLETED, Status.FAILED, Status.EXPIRED, Status.LOST)
_PUT_ON_BUS = (
    Metric.EVENTS_PUBLISHED,
    Metric.EVENTS_RETRIED,
    Metric.CHANGES_RETURNED,
    Metric.EVENTS_REJECTED,
)
_RECORDED = (
    Metric.RECORDED,
    Metric.RECORDED_WITH_OUTPUT_ERROR,
    Metric.DUPLICATE,
    Metric.SUPERSEDED,
    Metric.IGNORED,
    Metric.UNPROCESSABLE,
    Metric.MESSAGES_RETURNED,
)
_SWEPT = (
    Metric.RECOVERED_COMPLETED,
    Metric.RECOVERED_FAILED,
    Metric.LOST,
    Metric.OUTPUT_READ,
    Metric.OUTPUT_STILL_UNREADABLE,
    Metric.LEFT_FOR_NEXT_RUN,
)
_Metrics = Iterable[cloudwatch.IMetric]


class Dashboard(Construct):
    """A row for each question: does it flow, how does it end, how fast, what is left, what costs.

    Endpoints that are not watched are one line, `other`.
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
                _row(_path(parts)),
                _row(_outcomes((*names, OTHER))),
                _row(_latencies((*names, OTHER), parts)),
                _row(_left_over(parts, names)),
                _row(_costs(parts)),
            ],
        )


def _row(graphs: Mapping[str, _Metrics]) -> list[cloudwatch.IWidget]:
    return [
        cloudwatch.GraphWidget(title=title, left=list(metrics), width=24 // len(graphs))
        for title, metrics in graphs.items()
    ]


def _path(parts: Parts) -> dict[str, _Metrics]:
    graphs: dict[str, _Metrics] = {
        "Published": [
            of_topic(each.topic, "NumberOfMessagesPublished", label=each.node.id)
            for each in parts.channels
        ],
        "Queued (messages visible, at most)": [
            of_queue(each.queue, "ApproximateNumberOfMessagesVisible", label=each.node.id)
            for each in parts.channels
        ],
        "Recorded": [
            of_service(metric, Service.RECORD_RESULT, label=metric) for metric in _RECORDED
        ],
    }
    if parts.event_dead_letters:
        graphs["Announced"] = [
            of_service(each, Service.PUBLISH_EVENTS, label=each) for each in _PUT_ON_BUS
        ]
    return graphs


def _outcomes(endpoints: Sequence[str]) -> dict[str, _Metrics]:
    return {
        status.value: [
            _total(endpoint, number, status) for number, endpoint in enumerate(endpoints)
        ]
        for status in _OUTCOMES
    }


def _total(endpoint: str, number: int, status: Status) -> cloudwatch.IMetric:
    """However many functions write that outcome. Names in a graph are unique, hence the number."""
    metrics = {f"{name}_{number}": each for name, each in results(endpoint, [status]).items()}
    return cloudwatch.MathExpression(
        expression=total(metrics), using_metrics=metrics, label=endpoint
    )


def _latencies(endpoints: Sequence[str], parts: Parts) -> dict[str, _Metrics]:
    graphs: dict[str, _Metrics] = {
        f"{metric} of completed (ms)": [
            of_service(
                metric,
                Service.RECORD_RESULT,
                statistic=percentile,
                label=f"{endpoint} {percentile}",
                endpoint=endpoint,
                status=Status.COMPLETED.value,
            )
            for endpoint in endpoints
            for percentile in _PERCENTILES
        ]
        for metric in (Metric.INFERENCE_TIME, Metric.PIPELINE_LAG)
    }
    if parts.event_dead_letters:
        graphs["PublishLag (ms)"] = [
            of_service(
                Metric.PUBLISH_LAG,
                Service.PUBLISH_EVENTS,
                statistic=percentile,
                label=percentile,
            )
            for percentile in _PERCENTILES
        ]
    if parts.api:
        graphs["API latency, p90 (ms)"] = [
            of_service(
                Metric.LATENCY,
                Service.SUBMISSION_API if route in SUBMISSION_ROUTES else Service.STATUS_API,
                statistic="p90",
                label=route,
                route=route.value,
            )
            for route in Route
        ]
    return graphs


def _left_over(parts: Parts, endpoints: Sequence[str]) -> dict[str, _Metrics]:
    graphs: dict[str, _Metrics] = {
        "Dead letters (messages visible, at most)": [
            of_queue(queue, "ApproximateNumberOfMessagesVisible", label=name)
            for name, queue in parts.dead_letters.items()
        ],
        "Swept": [of_service(metric, Service.RECONCILE, label=metric) for metric in _SWEPT],
    }
    if endpoints:
        graphs["Requests that wait at SageMaker"] = [
            of_endpoint(name, "ApproximateBacklogSize", label=name) for name in endpoints
        ]
    return graphs


def _costs(parts: Parts) -> dict[str, _Metrics]:
    """By the hour."""
    return {
        "Invocations": _of_functions(parts, "Invocations"),
        "Duration (ms, all calls)": _of_functions(parts, "Duration"),
        "Write units": _units(parts, "ConsumedWriteCapacityUnits"),
        "Read units": _units(parts, "ConsumedReadCapacityUnits"),
        "Bytes of logs": [
            of_log_group(handler.log_group, "IncomingBytes", _HOUR, name)
            for name, handler in parts.handlers.items()
        ],
        "Messages": [each for channel in parts.channels for each in _messages(channel)],
    }


def _messages(channel: ResultChannel) -> _Metrics:
    name = channel.node.id
    yield of_topic(
        channel.topic, "NumberOfNotificationsDelivered", _HOUR, f"{name}: delivered by SNS"
    )
    for kind in ("MessagesReceived", "MessagesDeleted", "EmptyReceives"):
        yield of_queue(channel.queue, f"NumberOf{kind}", SUM, _HOUR, f"{name}: {kind}")


def _of_functions(parts: Parts, metric: str) -> _Metrics:
    return [
        of_function(handler.function, metric, period=_HOUR, label=name)
        for name, handler in parts.handlers.items()
    ]


def _units(parts: Parts, metric: str) -> _Metrics:
    return [
        of_table(parts.table, metric, label="inferences", period=_HOUR),
        *(of_table(parts.table, metric, index, label=index, period=_HOUR) for index in Index),
        of_table(parts.summaries_table, metric, label="summaries", period=_HOUR),
    ]
