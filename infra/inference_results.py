"""The whole service as one construct, for this app and for other CDK apps."""

import aws_cdk as cdk
from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from inference_results.contract import SUBMISSION_ROUTES

from .alarms import Alarms
from .bundle import bundled_code
from .customer_keys import CustomerKeys
from .dashboard import Dashboard
from .event_publisher import EventPublisher
from .inferences_table import InferencesTable
from .nag import acknowledge
from .parts import Parts
from .reconciler import Reconciler
from .result_channel import ResultChannel, encrypted_queue
from .result_recorder import ResultRecorder, queue_visibility_timeout
from .settings import Settings
from .status_api import StatusApi
from .submitter import Submitter
from .summaries import SummariesTable, Summarizer

_RETAINED_TYPES = ("AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::KMS::Key")
"""Types that outlive the stack, besides tables, which set their own policy. See decision 0020."""


class InferenceResults(Construct):
    """Topics, queues, functions, tables, event bus, API, alarms and dashboard.

    Use `completed.topic` as SuccessTopic and `failed.topic` as ErrorTopic of an endpoint config.
    Both channels are the same object if the settings name the same topic twice.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        if settings.permissions_boundary_arn:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(
                self, "PermissionsBoundary", settings.permissions_boundary_arn
            )
            iam.PermissionsBoundary.of(self).apply(boundary)
        # A failed creation retains nothing.
        cdk.RemovalPolicies.of(self).apply(
            cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            if settings.retain
            else cdk.RemovalPolicy.DESTROY,
            apply_to_resource_types=list(_RETAINED_TYPES),
        )
        self._settings = settings
        self._recorders: dict[str, ResultRecorder] = {}
        self._code = bundled_code(runtime=settings.runtime, architecture=settings.architecture)
        self._keys = (
            CustomerKeys(
                self,
                "Keys",
                topics=not (settings.success_topic_arn and settings.error_topic_arn),
                alarms=settings.alarms,
            )
            if settings.customer_keys
            else None
        )
        self.table = InferencesTable(
            self,
            "Inferences",
            retain=settings.retain,
            key=self._keys.table if self._keys else None,
        ).table
        self.summaries_table = SummariesTable(
            self,
            "Summaries",
            retain=settings.retain,
            key=self._keys.table if self._keys else None,
        ).table
        self.summarizer = self._summarizer()
        self.event_publisher = self._event_publisher() if settings.publish_events else None
        self.unprocessable_queue = encrypted_queue(
            self, "UnprocessableQueue", key=self._keys.queues if self._keys else None
        )
        acknowledge(
            self.unprocessable_queue,
            "SQS3",
            "No function consumes it: it holds unprocessable messages until an operator acts.",
        )
        one_topic = settings.success_topic_arn and (
            settings.success_topic_arn == settings.error_topic_arn
        )
        self.completed = self._channel("Completed", settings.success_topic_arn)
        self.failed = (
            self.completed if one_topic else self._channel("Failed", settings.error_topic_arn)
        )
        self._subscribe_emails()
        role_arns = [
            *settings.execution_role_arns,
            *([settings.endpoint.execution_role_arn] if settings.endpoint else []),
        ]
        for number, role_arn in enumerate(dict.fromkeys(role_arns)):
            self.allow_publishing(iam.Role.from_role_arn(self, f"ExecutionRole{number}", role_arn))
        self.reconciler = self._reconciler()
        self.submitter = self._submitter() if settings.api else None
        self.api = self._api(self.submitter) if self.submitter else None
        self.alarms = self._alarms() if settings.alarms else None
        if settings.dashboard:
            Dashboard(self, "Dashboard", parts=self._parts, watched=settings.watched)

    def allow_publishing(self, role: iam.IRole) -> None:
        """Allow the execution role of a model to publish to both topics.

        Extends the policies of the topics and of the role: SageMaker requires both.
        """
        channels = dict.fromkeys((self.completed, self.failed))
        for channel in channels:
            channel.allow_publishing(role)
        topics = [channel.topic.topic_arn for channel in channels]
        statements = [iam.PolicyStatement(actions=["sns:Publish"], resources=topics)]
        if self._keys and self._keys.topics:
            statements.append(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=[self._keys.topics.key_arn],
                )
            )
        iam.Policy(
            self,
            f"PublishPolicy{role.node.addr[-8:]}",
            policy_name=inline_policy_name(self),
            roles=[role],
            statements=statements,
        )

    def _summarizer(self) -> Summarizer:
        assert self.table.table_stream_arn
        summarizer = Summarizer(
            self,
            "Summarizer",
            stream_arn=self.table.table_stream_arn,
            table=self.summaries_table,
            dead_letter_key=self._keys.queues if self._keys else None,
            code=self._code,
            settings=self._settings,
        )
        if self._keys:
            self._keys.allow_recording(summarizer.role)
        return summarizer

    def _event_publisher(self) -> EventPublisher:
        event_publisher = EventPublisher(
            self,
            "EventPublisher",
            table=self.table,
            key=self._keys.queues if self._keys else None,
            code=self._code,
            settings=self._settings,
        )
        if self._keys:
            self._keys.allow_publishing_events(event_publisher.role)
        return event_publisher

    def _channel(self, id: str, topic_arn: str | None) -> ResultChannel:
        channel = ResultChannel(
            self,
            id,
            visibility_timeout=queue_visibility_timeout(self._settings.batch_window_seconds),
            topic_arn=topic_arn,
            topic_key=self._keys.topics if self._keys else None,
            queue_key=self._keys.queues if self._keys else None,
        )
        recorder = ResultRecorder(
            channel,
            "Recorder",
            queue=channel.queue,
            unprocessable_queue=self.unprocessable_queue,
            table=self.table,
            code=self._code,
            settings=self._settings,
        )
        self._recorders[f"{id}Recorder"] = recorder
        if self._keys:
            self._keys.allow_recording(recorder.role)
        return channel

    def _subscribe_emails(self) -> None:
        subscribers: dict[ResultChannel, list[str]] = {self.completed: [], self.failed: []}
        subscribers[self.completed] += self._settings.success_emails
        subscribers[self.failed] += self._settings.error_emails
        for channel, emails in subscribers.items():
            for email in dict.fromkeys(emails):
                channel.topic.add_subscription(subscriptions.EmailSubscription(email))

    def _reconciler(self) -> Reconciler:
        reconciler = Reconciler(
            self, "Reconciler", table=self.table, code=self._code, settings=self._settings
        )
        if self._keys:
            self._keys.allow_writing(reconciler.role)
        return reconciler

    def _submitter(self) -> Submitter:
        submitter = Submitter(
            self, "Submitter", table=self.table, code=self._code, settings=self._settings
        )
        if self._keys:
            self._keys.allow_writing(submitter.role)
        return submitter

    def _api(self, submitter: Submitter) -> StatusApi:
        api = StatusApi(
            self,
            "StatusApi",
            table=self.table,
            summaries_table=self.summaries_table,
            code=self._code,
            settings=self._settings,
        )
        api.add_routes(SUBMISSION_ROUTES, submitter.handler)
        if self._keys:
            self._keys.allow_reading(api.role)
        return api

    def _alarms(self) -> Alarms:
        return Alarms(
            self,
            "Alarms",
            parts=self._parts,
            key=self._keys.alarms if self._keys else None,
            settings=self._settings,
        )

    @property
    def _parts(self) -> Parts:
        others = {
            "Reconciler": self.reconciler,
            "Summarizer": self.summarizer,
            "EventPublisher": self.event_publisher,
            "StatusApi": self.api,
            "Submitter": self.submitter,
        }
        return Parts(
            channels=tuple(dict.fromkeys((self.completed, self.failed))),
            handlers={
                name: part.handler for name, part in (self._recorders | others).items() if part
            },
            unprocessable=self.unprocessable_queue,
            summary_dead_letters=self.summarizer.dead_letter_queue,
            event_dead_letters=(
                self.event_publisher.dead_letter_queue if self.event_publisher else None
            ),
            table=self.table,
            summaries_table=self.summaries_table,
            api=self.api.api if self.api else None,
        )


def inline_policy_name(owner: Construct) -> str:
    """Return a unique name for an inline policy of a role that other stacks may extend too.

    This is the only physical name of the stack: roles are global, and CloudFormation overwrites an
    inline policy of the same name.
    """
    return f"{Aws.STACK_NAME}-{Aws.REGION}-{owner.node.addr[-8:]}"
