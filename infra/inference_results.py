"""The whole service as one construct, for this app and for other CDK apps."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from inference_results.contract import SUBMISSION_ROUTES

from .alarms import Alarms
from .bundle import bundled_code
from .customer_keys import CustomerKeys
from .dashboard import Dashboard
from .event_publisher import EventPublisher
from .execution_role import inline_policy_name, publish_statements
from .inferences_table import InferencesTable
from .parts import Parts
from .queues import unprocessable_queue
from .reconciler import Reconciler
from .result_channel import ResultChannel
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
        self._settings = settings
        self._apply_boundary()
        self._apply_removal_policy()
        self._code = bundled_code(runtime=settings.runtime, architecture=settings.architecture)
        self._keys = keys = CustomerKeys(self, "Keys", settings=settings)
        retain = settings.retain
        self.table = InferencesTable(self, "Inferences", retain=retain, key=keys.table).table
        self.summaries_table = SummariesTable(
            self, "Summaries", retain=retain, key=keys.table
        ).table
        self.summarizer = self._summarizer()
        self.event_publisher = self._event_publisher() if settings.publish_events else None
        self.unprocessable_queue = unprocessable_queue(self, "UnprocessableQueue", key=keys.queues)
        self._recorders: dict[str, ResultRecorder] = {}
        self.completed = self._channel("Completed", settings.success_topic_arn)
        self.failed = self._failed_channel()
        self._subscribe_emails()
        self._allow_execution_roles()
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
        for channel in self._channels:
            channel.allow_publishing(role)
        iam.Policy(
            self,
            f"PublishPolicy{role.node.addr[-8:]}",
            policy_name=inline_policy_name(self),
            roles=[role],
            statements=publish_statements(
                [channel.topic for channel in self._channels], key=self._keys.topics
            ),
        )

    def _apply_boundary(self) -> None:
        if self._settings.permissions_boundary_arn:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(
                self, "PermissionsBoundary", self._settings.permissions_boundary_arn
            )
            iam.PermissionsBoundary.of(self).apply(boundary)

    def _apply_removal_policy(self) -> None:
        # A failed creation retains nothing.
        cdk.RemovalPolicies.of(self).apply(
            cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            if self._settings.retain
            else cdk.RemovalPolicy.DESTROY,
            apply_to_resource_types=list(_RETAINED_TYPES),
        )

    def _summarizer(self) -> Summarizer:
        assert self.table.table_stream_arn
        summarizer = Summarizer(
            self,
            "Summarizer",
            stream_arn=self.table.table_stream_arn,
            table=self.summaries_table,
            dead_letter_key=self._keys.queues,
            code=self._code,
            settings=self._settings,
        )
        self._keys.allow_recording(summarizer.handler.role)
        return summarizer

    def _event_publisher(self) -> EventPublisher:
        event_publisher = EventPublisher(
            self,
            "EventPublisher",
            table=self.table,
            key=self._keys.queues,
            code=self._code,
            settings=self._settings,
        )
        self._keys.allow_publishing_events(event_publisher.handler.role)
        return event_publisher

    def _channel(self, id: str, topic_arn: str | None) -> ResultChannel:
        channel = ResultChannel(
            self,
            id,
            visibility_timeout=queue_visibility_timeout(self._settings.batch_window_seconds),
            topic_arn=topic_arn,
            topic_key=self._keys.topics,
            queue_key=self._keys.queues,
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
        self._keys.allow_recording(recorder.handler.role)
        self._recorders[f"{id}Recorder"] = recorder
        return channel

    def _failed_channel(self) -> ResultChannel:
        if self._settings.has_one_topic:
            return self.completed
        return self._channel("Failed", self._settings.error_topic_arn)

    def _subscribe_emails(self) -> None:
        subscribers: dict[ResultChannel, list[str]] = {each: [] for each in self._channels}
        subscribers[self.completed] += self._settings.success_emails
        subscribers[self.failed] += self._settings.error_emails
        for channel, emails in subscribers.items():
            for email in dict.fromkeys(emails):
                channel.topic.add_subscription(subscriptions.EmailSubscription(email))

    def _allow_execution_roles(self) -> None:
        for number, arn in enumerate(self._settings.all_execution_role_arns):
            self.allow_publishing(iam.Role.from_role_arn(self, f"ExecutionRole{number}", arn))

    def _reconciler(self) -> Reconciler:
        reconciler = Reconciler(
            self, "Reconciler", table=self.table, code=self._code, settings=self._settings
        )
        self._keys.allow_writing(reconciler.handler.role)
        return reconciler

    def _submitter(self) -> Submitter:
        submitter = Submitter(
            self, "Submitter", table=self.table, code=self._code, settings=self._settings
        )
        self._keys.allow_writing(submitter.handler.role)
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
        self._keys.allow_reading(api.handler.role)
        return api

    def _alarms(self) -> Alarms:
        key = self._keys.alarms
        return Alarms(self, "Alarms", parts=self._parts, key=key, settings=self._settings)

    @property
    def _channels(self) -> tuple[ResultChannel, ...]:
        return tuple(dict.fromkeys((self.completed, self.failed)))

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
            channels=self._channels,
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
