"""Metrics of this service and of AWS, each with dimensions that are actually published.

CloudWatch accepts any dimension: an alarm on a wrong one never fires.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from inference_results.contract import (
    METRICS_NAMESPACE,
    OTHER,
    Dimension,
    Index,
    Metric,
    Service,
    Status,
)

from .settings import WatchedEndpoint

FIVE_MINUTES = cdk.Duration.minutes(5)
SUM = cloudwatch.Stats.SUM
MAXIMUM = cloudwatch.Stats.MAXIMUM

_STATUSES_BY_SERVICE = {
    Service.RECORD_RESULT: (Status.COMPLETED, Status.FAILED, Status.EXPIRED, OTHER),
    Service.RECONCILE: (Status.COMPLETED, Status.FAILED, Status.LOST),
}
"""The final statuses that a function writes, and counts in the metric Results."""


def service_metric(
    metric: Metric,
    service: Service,
    statistic: str = SUM,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
    **dimensions: str,
) -> cloudwatch.Metric:
    """Return a metric of the functions. docs/operations/metrics.md lists the dimensions of each."""
    mapped = {Dimension.SERVICE.value: service.value, **dimensions}
    return _metric(METRICS_NAMESPACE, metric.value, mapped, statistic, period, label)


def result_metrics(
    endpoint: str,
    statuses: Collection[str] = (*Status, OTHER),
    period: cdk.Duration = FIVE_MINUTES,
) -> dict[str, cloudwatch.Metric]:
    """Return the metrics that count an endpoint's results, by id for metric math."""
    return {
        f"{service}_{status.lower()}": service_metric(
            Metric.RESULTS, service, period=period, endpoint=endpoint, status=str(status)
        )
        for service, statuses_written in _STATUSES_BY_SERVICE.items()
        for status in statuses_written
        if status in statuses
    }


def sum_expression(names: Iterable[str]) -> str:
    """Return an expression that adds up metrics, with 0 for missing data."""
    return " + ".join(f"FILL({name}, 0)" for name in names)


def queue_metric(
    queue: sqs.IQueue,
    metric: str,
    statistic: str = MAXIMUM,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    return _metric("AWS/SQS", metric, {"QueueName": queue.queue_name}, statistic, period, label)


def topic_metric(
    topic: sns.ITopic,
    metric: str,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    return _metric("AWS/SNS", metric, {"TopicName": topic.topic_name}, SUM, period, label)


def function_metric(
    function: lambda_.IFunction,
    metric: str,
    statistic: str = SUM,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    dimensions = {"FunctionName": function.function_name}
    return _metric("AWS/Lambda", metric, dimensions, statistic, period, label)


def table_metric(
    table: dynamodb.ITableV2,
    metric: str,
    index: Index | None = None,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    """Return a metric of a table without its indexes, or of one index."""
    dimensions = {"TableName": table.table_name}
    if index:
        dimensions["GlobalSecondaryIndexName"] = index.value
    return _metric("AWS/DynamoDB", metric, dimensions, SUM, period, label)


def throttle_metrics(
    table: dynamodb.ITableV2, indexes: Sequence[Index] = ()
) -> dict[str, cloudwatch.Metric]:
    """Return the throttle metrics of a table and its indexes, by id for metric math."""
    return {
        f"{kind.lower()}_{number}": table_metric(table, f"{kind}ThrottleEvents", index)
        for number, index in enumerate((None, *indexes))
        for kind in ("Read", "Write")
    }


def api_metric(api: apigateway.IHttpApi, metric: str) -> cloudwatch.Metric:
    return _metric("AWS/ApiGateway", metric, {"ApiId": api.api_id})


def log_group_metric(
    group: logs.ILogGroup, metric: str, period: cdk.Duration, label: str
) -> cloudwatch.Metric:
    dimensions = {"LogGroupName": group.log_group_name}
    return _metric("AWS/Logs", metric, dimensions, SUM, period, label)


def endpoint_metric(name: str, metric: str, label: str | None = None) -> cloudwatch.Metric:
    """Return a metric that SageMaker publishes by endpoint, such as sizes and ages."""
    return _metric("AWS/SageMaker", metric, {"EndpointName": name}, MAXIMUM, label=label)


def variant_metric(watched: WatchedEndpoint, metric: str) -> cloudwatch.Metric:
    """Return a metric that SageMaker publishes by variant, such as counts."""
    dimensions = {"EndpointName": watched.name, "VariantName": watched.variant}
    return _metric("AWS/SageMaker", metric, dimensions)


def _metric(
    namespace: str,
    metric: str,
    dimensions: Mapping[str, str],
    statistic: str = SUM,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=metric,
        dimensions_map=dict(dimensions),
        statistic=statistic,
        period=period,
        label=label,
    )
