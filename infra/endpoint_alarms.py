"""Alarms on the watched endpoints."""

from functools import partial

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from inference_results.contract import Status

from .alarm_topic import AlarmTopic, Runbook
from .metrics import endpoint_metric, result_metrics, sum_expression, variant_metric
from .settings import Settings, WatchedEndpoint

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
        self._alarm = partial(alarm_topic.alarm, self)
        for name in settings.watched_names:
            self._watch_failures(name, settings.failure_percent)
            self._watch_request_age(name, settings.oldest_request_seconds)
        for watched in dict.fromkeys(settings.watched):
            self._watch_variant(watched)

    def _watch_failures(self, endpoint: str, percent: int) -> None:
        self._alarm(
            f"{endpoint}Failures",
            metric=_failure_percent(endpoint),
            above=percent,
            description=f"More than {percent} % of at least {_MIN_RESULTS} results of the endpoint "
            f"{endpoint} in {_RATE_PERIOD.to_minutes():.0f} minutes failed, expired or were lost. "
            "Their submitters have no output. Find the most frequent failure code.",
            runbook=Runbook.FAILURE_RATE,
        )

    def _watch_request_age(self, endpoint: str, seconds: int) -> None:
        self._alarm(
            f"{endpoint}RequestAge",
            metric=endpoint_metric(endpoint, "ApproximateAgeOfOldestRequest"),
            above=seconds,
            description=f"A request to the endpoint {endpoint} has waited for more than "
            f"{seconds} s. Submitters wait longer, and requests will expire. Add instances or "
            "reduce the load.",
            runbook=Runbook.REQUEST_AGE,
        )

    def _watch_variant(self, watched: WatchedEndpoint) -> None:
        name = f"{watched.name} ({watched.variant})"
        self._alarm(
            f"{watched.name}NotificationFailures{watched.variant}",
            metric=variant_metric(watched, "NotificationFailures"),
            description=f"SageMaker could not publish notifications of the endpoint {name}. Only "
            "reconciliation or backfill can record their results. Check the execution role's "
            "permissions.",
            runbook=Runbook.NOTIFICATION_FAILURES,
        )
        self._alarm(
            f"{watched.name}ExpiredRequests{watched.variant}",
            metric=variant_metric(watched, "ExpiredRequests"),
            description=f"SageMaker dropped requests to the endpoint {name} because they waited "
            "too long. Their submitters have no result. Add capacity, then submit them again.",
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
