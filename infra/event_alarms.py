"""Alarms on events and tasks."""

from functools import partial

from constructs import Construct

from inference_results.contract import Metric, Service

from .alarm_topic import AlarmTopic, Runbook
from .metrics import service_metric


class EventAlarms(Construct):
    """Alarms on events and tasks that no retry can help."""

    def __init__(self, scope: Construct, id: str, *, alarm_topic: AlarmTopic) -> None:
        super().__init__(scope, id)
        alarm = partial(alarm_topic.alarm, self)
        alarm(
            "Rejected",
            metric=service_metric(Metric.EVENTS_REJECTED, Service.PUBLISH_EVENTS),
            description=(
                "The event bus rejects events as invalid. Their consumers never receive them; the "
                "records are correct. Report the log line as a bug."
            ),
            runbook=Runbook.REJECTED_EVENTS,
        )
        alarm(
            "Malformed",
            metric=service_metric(Metric.MALFORMED_RECORDS, Service.PUBLISH_EVENTS),
            description=(
                "The table holds items that are not valid records, so no events are published for "
                "them. Another program or an older version wrote them. Stop it and delete them."
            ),
            runbook=Runbook.REJECTED_EVENTS,
        )
        alarm(
            "TasksDenied",
            metric=service_metric(Metric.TASKS_DENIED, Service.PUBLISH_EVENTS),
            description=(
                "The service is not allowed to complete tasks of a state machine. Its executions "
                "wait until they time out. Add the state machine to state_machine_arns."
            ),
            runbook=Runbook.DENIED_TASKS,
        )
