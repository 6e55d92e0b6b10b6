"""The function that reconciles overdue records, and its schedule."""

import json

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from inference_results.contract import Index, Service, Variable

from .function import HandlerFunction
from .output_access import allow_reading
from .settings import Settings


class Reconciler(Construct):
    """Runs `reconcile` on a schedule. A failed run is not retried, because the next one follows."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITableV2,
        code: lambda_.Code,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        self.handler = handler = HandlerFunction(
            self,
            "Reconcile",
            service=Service.RECONCILE,
            code=code,
            settings=settings,
            timeout=cdk.Duration.minutes(min(settings.reconcile_minutes, 5)),
            environment={
                Variable.TABLE_NAME: table.table_name,
                Variable.SHARDS: str(settings.shards),
                Variable.OUTPUT_PREFIXES: json.dumps(settings.output_prefixes),
                Variable.INLINE_OUTPUT_BYTES: str(settings.inline_output_bytes),
                Variable.RETENTION_DAYS: str(settings.retention_days),
                Variable.OVERDUE_SLACK_SECONDS: str(settings.overdue_slack_seconds),
                Variable.WORKERS: str(settings.workers),
                Variable.WATCHED_ENDPOINTS: json.dumps(settings.watched_names),
            },
            statements=[
                iam.PolicyStatement(
                    actions=["dynamodb:Query"],
                    resources=[f"{table.table_arn}/index/{Index.BY_STATUS}"],
                ),
                iam.PolicyStatement(actions=["dynamodb:UpdateItem"], resources=[table.table_arn]),
            ],
        )
        self.role = handler.role
        self.function = handler.function
        self.function.configure_async_invoke(retry_attempts=0)
        allow_reading(self.role, settings)
        # aws_scheduler_targets would also allow invoking every version of the function.
        schedule_role = iam.Role(
            self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com")
        )
        schedule_role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[self.function.function_arn]
            )
        )
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            schedule_expression=_rate(settings.reconcile_minutes),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function.function_arn,
                role_arn=schedule_role.role_arn,
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
            ),
        )
        schedule.node.add_dependency(schedule_role)


def _rate(minutes: int) -> str:
    return f"rate({minutes} minute{'s' if minutes > 1 else ''})"
