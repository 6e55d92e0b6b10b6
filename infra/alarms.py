"""All alarms, and the topic that they notify."""

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_kms as kms
from constructs import Construct

from inference_results.contract import Metric, Service

from .alarm_topic import AlarmTopic, Runbook
from .endpoint_alarms import EndpointAlarms
from .event_alarms import EventAlarms
from .function_alarms import FunctionAlarms, ReconcileAlarms
from .metrics import api_metric, service_metric
from .parts import Parts
from .queue_alarms import QueueAlarms
from .settings import Settings
from .table_alarms import TableAlarms


class Alarms(Construct):
    """Alarms on the service's parts and on the watched endpoints, with their topic."""

    def __init__(
        self, scope: Construct, id: str, *, parts: Parts, key: kms.IKey | None, settings: Settings
    ) -> None:
        super().__init__(scope, id)
        alarm_topic = AlarmTopic(self, "Topic", emails=settings.alarm_emails, key=key)
        self.topic = alarm_topic.topic
        QueueAlarms(self, "Queues", alarm_topic=alarm_topic, parts=parts, settings=settings)
        FunctionAlarms(self, "Functions", alarm_topic=alarm_topic, parts=parts, settings=settings)
        self._alarm_on_unread_outputs(alarm_topic)
        ReconcileAlarms(self, "Reconcile", alarm_topic=alarm_topic, parts=parts, settings=settings)
        if parts.event_dead_letters:
            EventAlarms(self, "Events", alarm_topic=alarm_topic)
        TableAlarms(self, "Tables", alarm_topic=alarm_topic, parts=parts)
        if parts.api:
            self._alarm_on_api_errors(alarm_topic, parts.api)
        EndpointAlarms(self, "Endpoints", alarm_topic=alarm_topic, settings=settings)

    def _alarm_on_unread_outputs(self, alarm_topic: AlarmTopic) -> None:
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

    def _alarm_on_api_errors(self, alarm_topic: AlarmTopic, api: apigateway.IHttpApi) -> None:
        alarm_topic.alarm(
            self,
            "ApiErrors",
            metric=api_metric(api, "5xx"),
            periods=(2, 3),
            description=(
                "The HTTP API returns 5xx. Requests of its callers fail; results are still "
                "recorded. Find the failed routes in the access log."
            ),
            runbook=Runbook.API_ERRORS,
        )
