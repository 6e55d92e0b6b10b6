"""Where alarms are told, and how each is made."""

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

_LONGEST_WARM_UP_MINUTES = 2880
_CLOUDWATCH = iam.ServicePrincipal("cloudwatch.amazonaws.com")


class Runbook(StrEnum):
    """Pages in docs/operations."""

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
    """A topic that CloudWatch may publish to, and the e-mail addresses that are told."""

    def __init__(
        self, scope: Construct, id: str, *, emails: Sequence[str], key: kms.IKey | None
    ) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        here = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
        # The policy that enforces TLS replaces the one by which a topic admits its own account.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[_CLOUDWATCH],
                resources=[self.topic.topic_arn],
                conditions=here,
            )
        )
        if key:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    principals=[_CLOUDWATCH],
                    resources=["*"],  # in the policy of a key: that key
                    conditions=here,
                )
            )
        for email in dict.fromkeys(emails):
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    def tell(
        self,
        scope: Construct,
        id: str,
        *,
        metric: cloudwatch.IMetric,
        above: float = 0,
        says: str,
        runbook: Runbook,
        periods: tuple[int, int] = (1, 1),
    ) -> None:
        """Tell when a metric is above a number in so many periods of so many. No data is no alarm.

        `says` is what broke and who is affected. That all is well again is not told: each alarm
        would say so when it is created.
        """
        breaching, of = periods
        alarm = cloudwatch.Alarm(
            scope,
            id,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=breaching,
            evaluation_periods=of,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=_described(says, runbook),
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def tell_of_silence(
        self,
        scope: Construct,
        id: str,
        *,
        metric: cloudwatch.Metric,
        says: str,
        runbook: Runbook,
        periods: int,
    ) -> None:
        """Tell when a metric that counts is 0, or has no data, for so many periods.

        Not for as long after the deployment: nothing can have been counted by then.
        """
        alarm = cloudwatch.Alarm(
            scope,
            id,
            metric=metric,
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            alarm_description=_described(says, runbook),
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        resource = alarm.node.default_child
        assert isinstance(resource, cloudwatch.CfnAlarm)
        minutes = periods * int(metric.period.to_minutes())
        resource.warm_up_configuration = cloudwatch.CfnAlarm.WarmUpConfigurationProperty(
            warm_up_period_duration_in_minutes=min(minutes, _LONGEST_WARM_UP_MINUTES)
        )


def _described(says: str, runbook: Runbook) -> str:
    return f"{says} Runbook: docs/operations/runbooks/{runbook}.md"
