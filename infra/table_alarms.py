"""Alarms on tables."""

from functools import partial

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from inference_results.contract import Index

from .alarm_topic import AlarmTopic, Runbook
from .metrics import sum_expression, throttle_metrics
from .parts import Parts


class TableAlarms(Construct):
    """Alarms on throttling, one for each table: an alarm holds at most ten metrics."""

    def __init__(self, scope: Construct, id: str, *, alarm_topic: AlarmTopic, parts: Parts) -> None:
        super().__init__(scope, id)
        alarm = partial(
            alarm_topic.alarm,
            self,
            periods=(2, 3),
            runbook=Runbook.TABLE_THROTTLES,
        )
        alarm(
            "InferencesThrottled",
            metric=_sum(throttle_metrics(parts.table, tuple(Index))),
            description=(
                "DynamoDB throttles the inferences table or one of its indexes. Results are "
                "recorded late, and the API returns 503. If it is not a short burst, raise shards."
            ),
        )
        alarm(
            "SummariesThrottled",
            metric=_sum(throttle_metrics(parts.summaries_table)),
            description=(
                "DynamoDB throttles the summaries table. Summaries are late, and the API returns "
                "503 for them. If it continues, check the table's quotas."
            ),
        )


def _sum(metrics: dict[str, cloudwatch.Metric]) -> cloudwatch.MathExpression:
    """Add up metrics, with 0 for missing data.

    CloudWatch always ignores missing data of DynamoDB, so an alarm on the metric itself would
    never return to OK.
    """
    return cloudwatch.MathExpression(
        expression=sum_expression(metrics), using_metrics=dict(metrics), label="throttled requests"
    )
