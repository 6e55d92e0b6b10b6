"""The topic that alarms notify, and the alarms themselves."""

from collections.abc import Sequence
from enum import StrEnum

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

_MAX_WARM_UP_MINUTES = 2880
_CLOUDWATCH = iam.ServicePrincipal("cloudwatch.amazonaws.com")
_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}


class Runbook(StrEnum):
    """Pages in docs/operations/runbooks."""

    RESULT_DEAD_LETTERS = "result-dead-letters"
    UNDELIVERED_NOTIFICATIONS = "undelivered-notifications"
    UNPROCESSABLE = "unprocessable"
    SUMMARY_DEAD_LETTERS = "summary-dead-letters"
    EVENT_DEAD_LETTERS = "event-dead-letters"
    RESULTS_WAITING = "results-waiting"
    FAILURE_RATE = "failure-rate"
    LOST_RESULTS = "lost-results"
    UNREAD_OUTPUTS = "unread-outputs"
    FUNCTION_ERRORS = "function-errors"
    FUNCTION_THROTTLES = "function-throttles"
    STREAM_LAG = "stream-lag"
    TABLE_THROTTLES = "table-throttles"
    API_ERRORS = "api-errors"
    RECONCILE_STOPPED = "reconcile-stopped"
    REJECTED_EVENTS = "rejected-events"
    DENIED_TASKS = "denied-tasks"
    NOTIFICATION_FAILURES = "notification-failures"
    EXPIRED_REQUESTS = "expired-requests"
    REQUEST_AGE = "request-age"


class AlarmTopic(Construct):
    """An SNS topic that CloudWatch publishes alarms to, with its email subscriptions."""

    def __init__(
        self, scope: Construct, id: str, *, emails: Sequence[str], key: kms.IKey | None
    ) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        # enforce_ssl replaces the default policy, which allows the topic's own account.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[_CLOUDWATCH],
                resources=[self.topic.topic_arn],
                conditions=_THIS_ACCOUNT,
            )
        )
        if key:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    principals=[_CLOUDWATCH],
                    resources=["*"],  # in a key policy, `*` means this key
                    conditions=_THIS_ACCOUNT,
                )
            )
        for email in dict.fromkeys(emails):
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    def alarm(
        self,
        scope: Construct,
        id: str,
        *,
        metric: cloudwatch.IMetric,
        above: float = 0,
        description: str,
        runbook: Runbook,
        periods: tuple[int, int] = (1, 1),
    ) -> None:
        """Alarm when a metric exceeds a threshold in M of N periods; missing data is not breaching.

        `description` says what broke, who is affected and what to do. `periods` is (M, N).
        There is no OK action, because every new alarm would send one.
        """
        breaching, evaluated = periods
        alarm = cloudwatch.Alarm(
            scope,
            id,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=breaching,
            evaluation_periods=evaluated,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=_with_runbook(description, runbook),
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def alarm_on_missing_data(
        self,
        scope: Construct,
        id: str,
        *,
        metric: cloudwatch.Metric,
        description: str,
        runbook: Runbook,
        periods: int,
    ) -> None:
        """Alarm when a count is 0, or missing, for a number of consecutive periods.

        An equally long warm-up keeps the alarm silent after a deployment.
        """
        alarm = cloudwatch.Alarm(
            scope,
            id,
            metric=metric,
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            alarm_description=_with_runbook(description, runbook),
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        resource = alarm.node.default_child
        assert isinstance(resource, cloudwatch.CfnAlarm)
        minutes = periods * int(metric.period.to_minutes())
        resource.warm_up_configuration = cloudwatch.CfnAlarm.WarmUpConfigurationProperty(
            warm_up_period_duration_in_minutes=min(minutes, _MAX_WARM_UP_MINUTES)
        )


def _with_runbook(description: str, runbook: Runbook) -> str:
    return f"{description} Runbook: docs/operations/runbooks/{runbook}.md"
