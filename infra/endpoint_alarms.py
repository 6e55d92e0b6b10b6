"""Alarms on the endpoints that the settings name."""

from functools import partial

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from inference_results.contract import Status

from .alarm_topic import AlarmTopic, Runbook
from .metrics import of_endpoint, of_variant, results, total
from .settings import Settings

_FAILED = (Status.FAILED, Status.EXPIRED, Status.LOST)
_RATE_PERIOD = cdk.Duration.minutes(30)
_LEAST_RESULTS = 10
"""In a period: one failure of two is no rate."""


class EndpointAlarms(Construct):
    """How an endpoint's results end, and what SageMaker says of it."""

    def __init__(self, scope: Construct, id: str, *, told: AlarmTopic, settings: Settings) -> None:
        super().__init__(scope, id)
        tell = partial(told.tell, self)
        for name in dict.fromkeys(watched.name for watched in settings.watched):
            tell(
                f"{name}Failures",
                metric=_failure_percent(name),
                above=settings.failure_percent,
                says=f"More than {settings.failure_percent} % of the results of the endpoint "
                f"{name} failed, expired or were lost, in {_RATE_PERIOD.to_minutes():.0f} minutes "
                f"with at least {_LEAST_RESULTS} results. Who submits to it gets no outputs.",
                runbook=Runbook.FAILURE_RATE,
            )
            tell(
                f"{name}RequestAge",
                metric=of_endpoint(name, "ApproximateAgeOfOldestRequest"),
                above=settings.oldest_request_seconds,
                says=f"A request to the endpoint {name} has waited for over "
                f"{settings.oldest_request_seconds} s. Who submits to it waits, and requests will "
                "expire.",
                runbook=Runbook.REQUEST_AGE,
            )
        for watched in dict.fromkeys(settings.watched):
            tell(
                f"{watched.name}NotificationFailures{watched.variant}",
                metric=of_variant(watched, "NotificationFailures"),
                says=f"SageMaker could not publish notifications of the endpoint {watched.name} "
                f"({watched.variant}). Results are recorded only where the sweep finds them.",
                runbook=Runbook.NOTIFICATION_FAILURES,
            )
            tell(
                f"{watched.name}ExpiredRequests{watched.variant}",
                metric=of_variant(watched, "ExpiredRequests"),
                says=f"Requests to the endpoint {watched.name} ({watched.variant}) waited longer "
                "than they may, and were dropped. Who submitted them has no result.",
                runbook=Runbook.EXPIRED_REQUESTS,
            )


def _failure_percent(endpoint: str) -> cloudwatch.MathExpression:
    metrics = results(endpoint, period=_RATE_PERIOD)
    everything, failed = total(metrics), total(results(endpoint, _FAILED))
    return cloudwatch.MathExpression(
        expression=f"IF(({everything}) >= {_LEAST_RESULTS}, 100 * ({failed}) / ({everything}), 0)",
        using_metrics=dict(metrics),
        period=_RATE_PERIOD,
        label="failed, expired or lost, in percent",
    )
