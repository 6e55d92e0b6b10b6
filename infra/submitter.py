"""The function that serves the submission routes of the API."""

import json

from aws_cdk import Aws
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from inference_results.contract import Service, Variable

from .function import HandlerFunction
from .nag import acknowledge
from .settings import Settings


class Submitter(Construct):
    """Runs `submission_api`. It can write records and invoke only the endpoints in the settings."""

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
            "SubmissionApi",
            service=Service.SUBMISSION_API,
            code=code,
            settings=settings,
            reserved_concurrency=settings.api_concurrency,
            environment=_environment(table, settings),
            statements=[
                iam.PolicyStatement(
                    # DeleteItem: an attempt that SageMaker rejected is withdrawn.
                    actions=["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
                    resources=[table.table_arn],
                ),
                *_invoke_statements(settings),
            ],
        )
        if settings.input_prefix:
            self._allow_uploads(settings.input_prefix, settings.input_key_arns)

    def _allow_uploads(self, prefix: str, key_arns: tuple[str, ...]) -> None:
        role = self.handler.role
        path = prefix.removeprefix("s3://")
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:PutObject"], resources=[f"arn:{Aws.PARTITION}:s3:::{path}*"]
            )
        )
        if key_arns:
            role.add_to_policy(
                iam.PolicyStatement(actions=["kms:GenerateDataKey"], resources=list(key_arns))
            )
        acknowledge(
            role,
            f"IAM5[Resource::arn:<AWS::Partition>:s3:::{path}*]",
            "Each input has a unique key; the prefix holds only inputs.",
        )


def _environment(table: dynamodb.ITableV2, settings: Settings) -> dict[str, str]:
    return {
        Variable.TABLE_NAME: table.table_name,
        Variable.SHARDS: str(settings.shards),
        Variable.RETENTION_DAYS: str(settings.retention_days),
        Variable.SUBMIT_ENDPOINTS: json.dumps(settings.submit_endpoints),
        Variable.INPUT_PREFIX: settings.input_prefix or "",
        Variable.COMPLETES_TASKS: str(bool(settings.state_machine_arns)).lower(),
    }


def _invoke_statements(settings: Settings) -> list[iam.PolicyStatement]:
    if not settings.submit_endpoints:
        return []
    account = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}"
    return [
        iam.PolicyStatement(
            actions=["sagemaker:InvokeEndpointAsync"],
            # SageMaker's ARNs contain names in lower case.
            resources=[f"{account}:endpoint/{name.lower()}" for name in settings.submit_endpoints],
        )
    ]
