"""All alarms, and the topic that they notify."""

from functools import partial

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from constructs import Construct

from inference_results.contract import Index, Metric, Service

from .alarm_topic import AlarmTopic, Runbook
from .endpoint_alarms import EndpointAlarms
from .function_alarms import FunctionAlarms, ReconcileAlarms
from .metrics import api_metric, service_metric, sum_expression, throttle_metrics
from .parts import Parts
from .queue_alarms import QueueAlarms
from .settings import Settings


class Alarms(Construct):
    """Alarms on the service's parts and on the watched endpoints, with their topic."""

    def __init__(
        self, scope: Construct, id: str, *, parts: Parts, key: kms.IKey | None, settings: Settings
    ) -> None:
        super().__init__(scope, id)
        alarm_topic = AlarmTopic(self, "Topic", emails=settings.alarm_emails, key=key)
        self.topic = alarm_topic.topic
        QueueAlarms(
            self,
            "Queues",
            alarm_topic=alarm_topic,
            parts=parts,
            oldest_message_seconds=settings.oldest_message_seconds,
        )
        FunctionAlarms(
            self,
            "Functions",
            alarm_topic=alarm_topic,
            parts=parts,
            reconcile_minutes=settings.reconcile_minutes,
        )
        alarm_topic.alarm(
            self,
            "OutputsUnread",
            metric=service_metric(Metric.RECORDED_WITH_OUTPUT_ERROR, Service.RECORD_RESULT),
            description=(
                "Results were recorded without their output or failure object: S3 denied the read, "
                "or the location is outside output_prefixes. The statuses are correct, but callers "
                "cannot get these outputs. Restore the access."
            ),
            runbook=Runbook.UNREAD_OUTPUTS,
        )
        ReconcileAlarms(
            self,
            "Reconcile",
            alarm_topic=alarm_topic,
            function=parts.handlers["Reconciler"].function,
            reconcile_minutes=settings.reconcile_minutes,
        )
        if parts.event_dead_letters:
            EventAlarms(self, "Events", alarm_topic=alarm_topic)
        TableAlarms(self, "Tables", alarm_topic=alarm_topic, parts=parts)
        if parts.api:
            alarm_topic.alarm(
                self,
                "ApiErrors",
                metric=api_metric(parts.api, "5xx"),
                periods=(2, 3),
                description=(
                    "The HTTP API returns 5xx. Requests of its callers fail; results are still "
                    "recorded. Find the failed routes in the access log."
                ),
                runbook=Runbook.API_ERRORS,
            )
        EndpointAlarms(self, "Endpoints", alarm_topic=alarm_topic, settings=settings)


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
