"""A Lambda function with its own role and log group."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from inference_results.contract import METRICS_NAMESPACE, Service

from .nag import acknowledge
from .setting_types import NEWEST_RUNTIME
from .settings import Settings

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
        self.log_group = monthly_log_group(self, "Logs")
        self.role = self._role(statements)
        self.function = lambda_.Function(
            self,
            "Function",
            code=code,
            handler=f"functions.{service}.handler",
            role=self.role,
            log_group=self.log_group,
            timeout=timeout,
            reserved_concurrent_executions=reserved_concurrency,
            memory_size=512,
            environment=_environment(service, settings, environment),
            **_runtime_options(settings),
        )
        self._acknowledge(settings)

    def _role(self, statements: Sequence[iam.PolicyStatement]) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(role)
        for statement in statements:
            role.add_to_policy(statement)
        return role

    def _acknowledge(self, settings: Settings) -> None:
        if settings.tracing:
            acknowledge(
                self.role,
                "IAM5[Resource::*]",
                "X-Ray has no resource-level permissions for traces.",
            )
        if settings.runtime != NEWEST_RUNTIME:
            acknowledge(self.function, "L1", "The setting `runtime` selects this runtime.")


def monthly_log_group(scope: Construct, id: str) -> logs.LogGroup:
    """Create a log group that keeps its entries for a month and is deleted with the stack."""
    return logs.LogGroup(
        scope,
        id,
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def _runtime_options(settings: Settings) -> dict[str, Any]:
    return {
        "runtime": lambda_.Runtime(settings.runtime, lambda_.RuntimeFamily.PYTHON),
        "architecture": lambda_.Architecture.custom(settings.architecture),
        "tracing": lambda_.Tracing.ACTIVE if settings.tracing else lambda_.Tracing.DISABLED,
    }


def _environment(
    service: Service, settings: Settings, variables: Mapping[str, str]
) -> dict[str, str]:
    environment = {
        "POWERTOOLS_SERVICE_NAME": service.value,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        **{str(name): value for name, value in variables.items()},
    }
    # Omit a rate of 0, which Powertools would add to every log line.
    if settings.debug_sample_rate:
        environment["POWERTOOLS_LOGGER_SAMPLE_RATE"] = str(settings.debug_sample_rate)
    return environment
