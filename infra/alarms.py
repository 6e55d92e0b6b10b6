"""All alarms, and the topic that tells them."""

from functools import partial

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from constructs import Construct

from inference_results.contract import Index, Metric, Service

from .alarm_topic import AlarmTopic, Runbook
from .endpoint_alarms import EndpointAlarms
from .function_alarms import FunctionAlarms, ReconcileAlarms
from .metrics import of_api, of_service, throttled, total
from .parts import Parts
from .queue_alarms import QueueAlarms
from .settings import Settings


class Alarms(Construct):
    """Watches the parts of the service, and the endpoints that the settings name."""

    def __init__(
        self, scope: Construct, id: str, *, parts: Parts, key: kms.IKey | None, settings: Settings
    ) -> None:
        super().__init__(scope, id)
        told = AlarmTopic(self, "Told", emails=settings.alarm_emails, key=key)
        self.topic = told.topic
        QueueAlarms(
            self,
            "Queues",
            told=told,
            parts=parts,
            oldest_message_seconds=settings.oldest_message_seconds,
        )
        FunctionAlarms(
            self, "Functions", told=told, parts=parts, reconcile_minutes=settings.reconcile_minutes
        )
        told.tell(
            self,
            "OutputsUnread",
            metric=of_service(Metric.RECORDED_WITH_OUTPUT_ERROR, Service.RECORD_RESULT),
            says=(
                "Results were recorded without their outputs, or failures without their objects: "
                "S3 refused, or they are outside of output_prefixes. Statuses are right; who asks "
                "for an output is told why there is none."
            ),
            runbook=Runbook.UNREAD_OUTPUTS,
        )
        ReconcileAlarms(
            self,
            "Reconcile",
            told=told,
            function=parts.handlers["Reconciler"].function,
            reconcile_minutes=settings.reconcile_minutes,
        )
        if parts.event_dead_letters:
            EventAlarms(self, "Events", told=told)
        TableAlarms(self, "Tables", told=told, parts=parts)
        if parts.api:
            told.tell(
                self,
                "ApiErrors",
                metric=of_api(parts.api, "5xx"),
                periods=(2, 3),
                says="The HTTP API answers with 5xx. Services that ask or submit get no answer.",
                runbook=Runbook.API_ERRORS,
            )
        EndpointAlarms(self, "Endpoints", told=told, settings=settings)


class EventAlarms(Construct):
    """What is never told, however often it is tried."""

    def __init__(self, scope: Construct, id: str, *, told: AlarmTopic) -> None:
        super().__init__(scope, id)
        tell = partial(told.tell, self)
        tell(
            "Refused",
            metric=of_service(Metric.EVENTS_REJECTED, Service.PUBLISH_EVENTS),
            says=(
                "The event bus refuses events for what they are. Who waits for an event of these "
                "inferences is not told; their records are right."
            ),
            runbook=Runbook.REJECTED_EVENTS,
        )
        tell(
            "Malformed",
            metric=of_service(Metric.MALFORMED_RECORDS, Service.PUBLISH_EVENTS),
            says=(
                "Items in the table are none of this service's records, and are not announced. "
                "Something else writes to the table, or a version did that is gone."
            ),
            runbook=Runbook.REJECTED_EVENTS,
        )
        tell(
            "TasksDenied",
            metric=of_service(Metric.TASKS_DENIED, Service.PUBLISH_EVENTS),
            says=(
                "This service may not answer the tasks of a state machine. Its executions wait "
                "until their own time-outs."
            ),
            runbook=Runbook.DENIED_TASKS,
        )


class TableAlarms(Construct):
    """Throttling, by table: at most ten metrics in an alarm, which a table with its indexes has."""

    def __init__(self, scope: Construct, id: str, *, told: AlarmTopic, parts: Parts) -> None:
        super().__init__(scope, id)
        tell = partial(
            told.tell,
            self,
            periods=(2, 3),
            runbook=Runbook.TABLE_THROTTLES,
        )
        tell(
            "InferencesThrottled",
            metric=_sum(throttled(parts.table, tuple(Index))),
            says=(
                "DynamoDB throttles the table of inferences or an index of it. Results are "
                "recorded late, and questions are answered with 503."
            ),
        )
        tell(
            "SummariesThrottled",
            metric=_sum(throttled(parts.summaries_table)),
            says=(
                "DynamoDB throttles the table of summaries. Summaries lag behind, or are answered "
                "with 503."
            ),
        )


def _sum(metrics: dict[str, cloudwatch.Metric]) -> cloudwatch.MathExpression:
    """An alarm on DynamoDB's metrics stays as it is while there is no data: hence one with none."""
    return cloudwatch.MathExpression(
        expression=total(metrics), using_metrics=dict(metrics), label="throttled requests"
    )
