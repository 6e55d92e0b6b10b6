"""Alarms on functions: errors, throttles, stream lag, and a `reconcile` that stopped running."""

from functools import partial

import aws_cdk as cdk
from constructs import Construct

from inference_results.contract import Metric, Service

from .alarm_topic import AlarmTopic, Runbook
from .function import HandlerFunction
from .metrics import FIVE_MINUTES, MAXIMUM, function_metric, service_metric
from .parts import Parts
from .settings import Settings

_LAG_MINUTES = 15
"""As long as the tumbling window of `summarize`."""

_IMPACT = {
    Service.RECORD_RESULT: "Results are late, and become dead letters after five attempts.",
    Service.RECONCILE: "Inferences whose notification was lost stay in progress.",
    Service.PUBLISH_EVENTS: "Events are late; after twelve hours they become dead letters.",
    Service.SUMMARIZE: "Summaries are late; after twelve hours changes become dead letters.",
    Service.STATUS_API: "Requests for records and outputs fail with 5xx.",
    Service.SUBMISSION_API: "Requests to submit or register fail with 5xx.",
}
_STREAM_CONSUMERS = (Service.PUBLISH_EVENTS, Service.SUMMARIZE)


class FunctionAlarms(Construct):
    """Alarms on errors and throttles of every function, and on the lag of the stream consumers.

    Callers retry, so one failed period raises no alarm: it takes two of three.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        alarm_topic: AlarmTopic,
        parts: Parts,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        self._alarm_topic = alarm_topic
        for name, handler in parts.handlers.items():
            is_scheduled = handler.service is Service.RECONCILE
            self._watch(
                name, handler, _reconcile_period(settings) if is_scheduled else FIVE_MINUTES
            )
            if handler.service in _STREAM_CONSUMERS:
                self._watch_lag(name, handler)

    def _watch(self, name: str, handler: HandlerFunction, period: cdk.Duration) -> None:
        impact = _IMPACT[handler.service]
        alarm = partial(self._alarm_topic.alarm, self, periods=(2, 3))
        alarm(
            f"{name}Errors",
            metric=function_metric(handler.function, "Errors", period=period),
            description=f"The function {handler.service} ({name}) fails repeatedly. {impact} "
            "Read its log.",
            runbook=Runbook.FUNCTION_ERRORS,
        )
        alarm(
            f"{name}Throttles",
            metric=function_metric(handler.function, "Throttles", period=period),
            description=f"Lambda throttles the function {handler.service} ({name}): the account's "
            f"concurrency or the function's own is used up. {impact} Raise the limit.",
            runbook=Runbook.FUNCTION_THROTTLES,
        )

    def _watch_lag(self, name: str, handler: HandlerFunction) -> None:
        self._alarm_topic.alarm(
            self,
            f"{name}Lag",
            metric=function_metric(handler.function, "IteratorAge", MAXIMUM),
            above=_LAG_MINUTES * 60_000,
            description=f"The function {handler.service} is more than {_LAG_MINUTES} minutes "
            f"behind the table's stream. {_IMPACT[handler.service]} Read its log.",
            runbook=Runbook.STREAM_LAG,
        )


class ReconcileAlarms(Construct):
    """Alarms if `reconcile` stops running, and if it ends inferences as Lost."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        alarm_topic: AlarmTopic,
        parts: Parts,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        function = parts.handlers["Reconciler"].function
        alarm_topic.alarm_on_missing_data(
            self,
            "Stopped",
            metric=function_metric(function, "Invocations", period=_reconcile_period(settings)),
            periods=3,
            description="The schedule did not invoke reconcile for three intervals. Inferences "
            "whose notification was lost stay in progress. Deploy again to restore the schedule.",
            runbook=Runbook.RECONCILE_STOPPED,
        )
        alarm_topic.alarm(
            self,
            "Lost",
            metric=service_metric(Metric.LOST, Service.RECONCILE),
            description="Inferences ended as Lost: their deadline passed without a notification, "
            "an output or a failure object. Their submitters have no result. List them, and "
            "submit them again.",
            runbook=Runbook.LOST_RESULTS,
        )


def _reconcile_period(settings: Settings) -> cdk.Duration:
    """Return the schedule's interval, but at least 5 minutes because Lambda's metrics are late.

    Three periods stay within CloudWatch's limits: a day in total, or a week for periods of an
    hour or more.
    """
    return cdk.Duration.minutes(max(settings.reconcile_minutes, 5))
