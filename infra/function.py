"""A Lambda function with its own role and log group."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from inference_results.contract import METRICS_NAMESPACE, Service

from .nag import acknowledge
from .settings import NEWEST_RUNTIME, Settings

TIMEOUT = cdk.Duration.seconds(30)


class HandlerFunction(Construct):
    """Runs `functions.<service>.handler`, which can write logs and what `statements` allow."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        code: lambda_.Code,
        settings: Settings,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        reserved_concurrency: int | None = None,
        timeout: cdk.Duration = TIMEOUT,
    ) -> None:
        super().__init__(scope, id)
        self.service = service
        self.log_group = log_group = logs.LogGroup(
            self,
            "Logs",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(self.role)
        for statement in statements:
            self.role.add_to_policy(statement)
        self.function = lambda_.Function(
            self,
            "Function",
            code=code,
            handler=f"functions.{service}.handler",
            runtime=lambda_.Runtime(settings.runtime, lambda_.RuntimeFamily.PYTHON),
            architecture=lambda_.Architecture.custom(settings.architecture),
            role=self.role,
            log_group=log_group,
            timeout=timeout,
            reserved_concurrent_executions=reserved_concurrency,
            memory_size=512,
            environment={
                "POWERTOOLS_SERVICE_NAME": service.value,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                **_log_sampling(settings),
                **{str(name): value for name, value in environment.items()},
            },
            tracing=lambda_.Tracing.ACTIVE if settings.tracing else lambda_.Tracing.DISABLED,
        )
        if settings.tracing:
            acknowledge(
                self.role,
                "IAM5[Resource::*]",
                "X-Ray has no resource-level permissions for traces.",
            )
        if settings.runtime != NEWEST_RUNTIME:
            acknowledge(self.function, "L1", "The setting `runtime` selects this runtime.")


def _log_sampling(settings: Settings) -> dict[str, str]:
    """Omit a rate of 0, which Powertools would add to every log line."""
    if not settings.debug_sample_rate:
        return {}
    return {"POWERTOOLS_LOGGER_SAMPLE_RATE": str(settings.debug_sample_rate)}
