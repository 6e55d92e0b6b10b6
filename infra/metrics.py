"""Metrics of this service and of AWS's, each with dimensions that are published.

CloudWatch takes any dimension and shows nothing: an alarm on a wrong one is quiet for ever.
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

_WRITTEN_BY = {
    Service.RECORD_RESULT: (Status.COMPLETED, Status.FAILED, Status.EXPIRED, OTHER),
    Service.RECONCILE: (Status.COMPLETED, Status.FAILED, Status.LOST),
}
"""Which outcomes a function writes, and so counts as Results."""


def of_service(
    metric: Metric,
    service: Service,
    statistic: str = SUM,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
    **dimensions: str,
) -> cloudwatch.Metric:
    """What the functions emit; docs/operations/metrics.md says which metric has which `dimensions`."""
    mapped = {Dimension.SERVICE.value: service.value, **dimensions}
    return _metric(METRICS_NAMESPACE, metric.value, mapped, statistic, period, label)


def results(
    endpoint: str,
    statuses: Collection[str] = (*Status, OTHER),
    period: cdk.Duration = FIVE_MINUTES,
) -> dict[str, cloudwatch.Metric]:
    """Results of an endpoint with these statuses, by names for expressions."""
    return {
        f"{service}_{status.lower()}": of_service(
            Metric.RESULTS, service, period=period, endpoint=endpoint, status=str(status)
        )
        for service, written in _WRITTEN_BY.items()
        for status in written
        if status in statuses
    }


def total(names: Iterable[str]) -> str:
    """An expression. No data counts as 0, and makes no gap."""
    return " + ".join(f"FILL({name}, 0)" for name in names)


def of_queue(
    queue: sqs.IQueue,
    metric: str,
    statistic: str = MAXIMUM,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    return _metric("AWS/SQS", metric, {"QueueName": queue.queue_name}, statistic, period, label)


def of_topic(
    topic: sns.ITopic,
    metric: str,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    return _metric("AWS/SNS", metric, {"TopicName": topic.topic_name}, SUM, period, label)


def of_function(
    function: lambda_.IFunction,
    metric: str,
    statistic: str = SUM,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    dimensions = {"FunctionName": function.function_name}
    return _metric("AWS/Lambda", metric, dimensions, statistic, period, label)


def of_table(
    table: dynamodb.ITableV2,
    metric: str,
    index: Index | None = None,
    period: cdk.Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    """Of a table without its indexes, or of one of them."""
    dimensions = {"TableName": table.table_name}
    if index:
        dimensions["GlobalSecondaryIndexName"] = index.value
    return _metric("AWS/DynamoDB", metric, dimensions, SUM, period, label)


def throttled(
    table: dynamodb.ITableV2, indexes: Sequence[Index] = ()
) -> dict[str, cloudwatch.Metric]:
    """Requests that DynamoDB throttled on a table or on its indexes, by names for expressions."""
    return {
        f"{kind.lower()}_{number}": of_table(table, f"{kind}ThrottleEvents", index)
        for number, index in enumerate((None, *indexes))
        for kind in ("Read", "Write")
    }


def of_api(api: apigateway.IHttpApi, metric: str) -> cloudwatch.Metric:
    return _metric("AWS/ApiGateway", metric, {"ApiId": api.api_id})


def of_log_group(
    group: logs.ILogGroup, metric: str, period: cdk.Duration, label: str
) -> cloudwatch.Metric:
    dimensions = {"LogGroupName": group.log_group_name}
    return _metric("AWS/Logs", metric, dimensions, SUM, period, label)


def of_endpoint(name: str, metric: str, label: str | None = None) -> cloudwatch.Metric:
    """What SageMaker measures of a whole endpoint: sizes and ages."""
    return _metric("AWS/SageMaker", metric, {"EndpointName": name}, MAXIMUM, label=label)


def of_variant(watched: WatchedEndpoint, metric: str) -> cloudwatch.Metric:
    """What SageMaker counts by variant."""
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
