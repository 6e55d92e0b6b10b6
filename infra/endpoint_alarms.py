"""Alarms on the watched endpoints."""

from functools import partial

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from inference_results.contract import Status

from .alarm_topic import AlarmTopic, Runbook
from .metrics import endpoint_metric, result_metrics, sum_expression, variant_metric
from .settings import Settings

_FAILED = (Status.FAILED, Status.EXPIRED, Status.LOST)
_RATE_PERIOD = cdk.Duration.minutes(30)
_MIN_RESULTS = 10
"""Fewer results in a period are too few for a rate."""


class EndpointAlarms(Construct):
    """Alarms on an endpoint's failure rate, and on SageMaker's own metrics of it."""

    def __init__(
        self, scope: Construct, id: str, *, alarm_topic: AlarmTopic, settings: Settings
    ) -> None:
        super().__init__(scope, id)
        alarm = partial(alarm_topic.alarm, self)
        for name in dict.fromkeys(watched.name for watched in settings.watched):
            alarm(
                f"{name}Failures",
                metric=_failure_percent(name),
                above=settings.failure_percent,
                description=f"More than {settings.failure_percent} % of at least {_MIN_RESULTS} "
                f"results of the endpoint {name} in {_RATE_PERIOD.to_minutes():.0f} minutes "
                "failed, expired or were lost. Their submitters have no output. Find the most "
                "frequent failure code.",
                runbook=Runbook.FAILURE_RATE,
            )
            alarm(
                f"{name}RequestAge",
                metric=endpoint_metric(name, "ApproximateAgeOfOldestRequest"),
                above=settings.oldest_request_seconds,
                description=f"A request to the endpoint {name} has waited for more than "
                f"{settings.oldest_request_seconds} s. Submitters wait longer, and requests will "
                "expire. Add instances or reduce the load.",
                runbook=Runbook.REQUEST_AGE,
            )
        for watched in dict.fromkeys(settings.watched):
            alarm(
                f"{watched.name}NotificationFailures{watched.variant}",
                metric=variant_metric(watched, "NotificationFailures"),
                description="SageMaker could not publish notifications of the endpoint "
                f"{watched.name} ({watched.variant}). Only reconciliation or backfill can record "
                "their results. Check the execution role's permissions.",
                runbook=Runbook.NOTIFICATION_FAILURES,
            )
            alarm(
                f"{watched.name}ExpiredRequests{watched.variant}",
                metric=variant_metric(watched, "ExpiredRequests"),
                description="SageMaker dropped requests to the endpoint "
                f"{watched.name} ({watched.variant}) because they waited too long. Their "
                "submitters have no result. Add capacity, then submit them again.",
                runbook=Runbook.EXPIRED_REQUESTS,
            )


def _failure_percent(endpoint: str) -> cloudwatch.MathExpression:
    metrics = result_metrics(endpoint, period=_RATE_PERIOD)
    everything = sum_expression(metrics)
    failed = sum_expression(result_metrics(endpoint, _FAILED))
    return cloudwatch.MathExpression(
        expression=f"IF(({everything}) >= {_MIN_RESULTS}, 100 * ({failed}) / ({everything}), 0)",
        using_metrics=dict(metrics),
        period=_RATE_PERIOD,
        label="failed, expired or lost, in percent",
    )
