"""The whole service as one construct, for this app's stack and for other CDK apps."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from .acknowledged import acknowledge
from .bundle import bundled_code
from .customer_keys import CustomerKeys
from .inferences_table import InferencesTable
from .result_channel import ResultChannel, encrypted_queue
from .result_recorder import ResultRecorder, queue_visibility_timeout
from .settings import Settings
from .status_api import StatusApi


class InferenceResults(Construct):
    """Topics, queues, functions, table and API, connected.

    Give `completed.topic` to an endpoint config as SuccessTopic and `failed.topic` as ErrorTopic.
    Both channels are one where the settings name the same topic twice.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._keys = keys = CustomerKeys(self, "Keys") if settings.customer_keys else None
        code = bundled_code(runtime=settings.runtime, architecture=settings.architecture)

        self.table = InferencesTable(
            self, "Inferences", retain=settings.retain, key=keys.table if keys else None
        ).table
        self.unprocessable_queue = encrypted_queue(
            self, "UnprocessableQueue", key=keys.queues if keys else None
        )
        acknowledge(
            self.unprocessable_queue,
            "SQS3",
            "People read it, no function does: it is where messages end that no retry can help.",
        )

        def channel(id: str, topic_arn: str | None) -> ResultChannel:
            channel = ResultChannel(
                self,
                id,
                visibility_timeout=queue_visibility_timeout(settings.batch_window_seconds),
                topic_arn=topic_arn,
                topic_key=keys.topics if keys else None,
                queue_key=keys.queues if keys else None,
            )
            recorder = ResultRecorder(
                channel,
                "Recorder",
                queue=channel.queue,
                unprocessable_queue=self.unprocessable_queue,
                table=self.table,
                code=code,
                settings=settings,
            )
            if keys:
                keys.allow_recording(recorder.role)
            return channel

        one_topic = settings.success_topic_arn and (
            settings.success_topic_arn == settings.error_topic_arn
        )
        self.completed = channel("Completed", settings.success_topic_arn)
        self.failed = self.completed if one_topic else channel("Failed", settings.error_topic_arn)
        for each, emails in (
            (self.completed, settings.success_emails),
            (self.failed, settings.error_emails),
        ):
            for email in emails:
                each.topic.add_subscription(subscriptions.EmailSubscription(email))
        role_arns = list(settings.execution_role_arns)
        if settings.endpoint and settings.endpoint.execution_role_arn not in role_arns:
            role_arns.append(settings.endpoint.execution_role_arn)
        for number, role_arn in enumerate(role_arns):
            self.allow_publishing(iam.Role.from_role_arn(self, f"ExecutionRole{number}", role_arn))

        self.api: StatusApi | None = None
        if settings.api:
            self.api = StatusApi(self, "StatusApi", table=self.table, code=code, settings=settings)
            if keys:
                keys.allow_asking(self.api.role)

    def allow_publishing(self, role: iam.IRole) -> None:
        """Let the execution role of a model publish to both topics."""
        for channel in {self.completed, self.failed}:
            channel.allow_publishing(role)
        if self._keys:
            self._keys.allow_publishing(role)
