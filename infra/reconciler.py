"""The function that reconciles overdue records, and its schedule."""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from inference_results.contract import Index, Service, Variable

from .function import HandlerFunction
from .output_access import allow_reading
from .result_recorder import recording_environment
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
        self.handler = HandlerFunction(
            self,
            "Reconcile",
            service=Service.RECONCILE,
            code=code,
            settings=settings,
            timeout=cdk.Duration.minutes(min(settings.reconcile_minutes, 5)),
            environment={
                **recording_environment(table, settings),
                Variable.OVERDUE_SLACK_SECONDS: str(settings.overdue_slack_seconds),
            },
            statements=[
                iam.PolicyStatement(
                    actions=["dynamodb:Query"],
                    resources=[f"{table.table_arn}/index/{Index.BY_STATUS}"],
                ),
                iam.PolicyStatement(actions=["dynamodb:UpdateItem"], resources=[table.table_arn]),
            ],
        )
        self.handler.function.configure_async_invoke(retry_attempts=0)
        allow_reading(self.handler.role, settings)
        self._add_schedule(settings.reconcile_minutes)

    def _add_schedule(self, minutes: int) -> None:
        function_arn = self.handler.function.function_arn
        # aws_scheduler_targets would also allow invoking every version of the function.
        role = iam.Role(
            self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com")
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function_arn])
        )
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function_arn,
                role_arn=role.role_arn,
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
            ),
        )
        schedule.node.add_dependency(role)
