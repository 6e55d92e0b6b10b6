"""Alarms on functions: what fails, is held back, lags behind, or no longer runs."""

from functools import partial

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from inference_results.contract import Metric, Service

from .alarm_topic import AlarmTopic, Runbook
from .function import HandlerFunction
from .metrics import FIVE_MINUTES, MAXIMUM, of_function, of_service
from .parts import Parts

_LAG_MINUTES = 15
"""As long as the tumbling window of the summaries."""

_AFFECTED = {
    Service.RECORD_RESULT: "Results are recorded late, and end in the dead letters after a while.",
    Service.RECONCILE: "Inferences whose notification was lost stay in progress.",
    Service.PUBLISH_EVENTS: "Who waits for an event is told late; after twelve hours, never.",
    Service.SUMMARIZE: "Summaries lag behind; after twelve hours they lack what was not counted.",
    Service.STATUS_API: "Services that ask get 5xx.",
    Service.SUBMISSION_API: "Services that submit or register get 5xx.",
}
_READERS = (Service.PUBLISH_EVENTS, Service.SUMMARIZE)
"""Of the table's stream."""


class FunctionAlarms(Construct):
    """Errors and throttles of every function, and how far the readers of the stream are behind.

    One error is no alarm: whoever called the function calls again. Two periods of three are.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        told: AlarmTopic,
        parts: Parts,
        reconcile_minutes: int,
    ) -> None:
        super().__init__(scope, id)
        self._told = told
        for name, handler in parts.handlers.items():
            sweeps = handler.service is Service.RECONCILE
            self._watch(
                name, handler, reconcile_period(reconcile_minutes) if sweeps else FIVE_MINUTES
            )
            if handler.service in _READERS:
                self._watch_reader(name, handler)

    def _watch(self, name: str, handler: HandlerFunction, period: cdk.Duration) -> None:
        affected = _AFFECTED[handler.service]
        tell = partial(self._told.tell, self, periods=(2, 3))
        tell(
            f"{name}Errors",
            metric=of_function(handler.function, "Errors", period=period),
            says=f"The function {handler.service} ({name}) fails again and again. {affected}",
            runbook=Runbook.FUNCTION_ERRORS,
        )
        tell(
            f"{name}Throttles",
            metric=of_function(handler.function, "Throttles", period=period),
            says=f"Lambda does not run {handler.service} ({name}): too many functions run, in the "
            f"account or by its own limit. {affected}",
            runbook=Runbook.FUNCTION_THROTTLES,
        )

    def _watch_reader(self, name: str, handler: HandlerFunction) -> None:
        self._told.tell(
            self,
            f"{name}Lag",
            metric=of_function(handler.function, "IteratorAge", MAXIMUM),
            above=_LAG_MINUTES * 60_000,
            says=f"The function {handler.service} is more than {_LAG_MINUTES} minutes behind the "
            f"table's stream. {_AFFECTED[handler.service]}",
            runbook=Runbook.STREAM_LAG,
        )


class ReconcileAlarms(Construct):
    """Whether the sweep runs, and what it could not find."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        told: AlarmTopic,
        function: lambda_.IFunction,
        reconcile_minutes: int,
    ) -> None:
        super().__init__(scope, id)
        told.tell_of_silence(
            self,
            "Stopped",
            metric=of_function(function, "Invocations", period=reconcile_period(reconcile_minutes)),
            periods=3,
            says="The sweep was not called three times in a row. Inferences whose notification was "
            "lost stay in progress.",
            runbook=Runbook.RECONCILE_STOPPED,
        )
        told.tell(
            self,
            "Lost",
            metric=of_service(Metric.LOST, Service.RECONCILE),
            says="Inferences ended as Lost: past their deadline there was neither a notification "
            "nor an output nor a failure object. Who submitted them has no result.",
            runbook=Runbook.LOST_RESULTS,
        )


def reconcile_period(reconcile_minutes: int) -> cdk.Duration:
    """That of the schedule, but no shorter than Lambda's metrics may be late.

    Three of them keep CloudWatch's limits: a day in all, or a week for periods of an hour or more.
    """
    return cdk.Duration.minutes(max(reconcile_minutes, 5))
