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
            environment={
                Variable.TABLE_NAME: table.table_name,
                Variable.SHARDS: str(settings.shards),
                Variable.RETENTION_DAYS: str(settings.retention_days),
                Variable.SUBMIT_ENDPOINTS: json.dumps(settings.submit_endpoints),
                Variable.INPUT_PREFIX: settings.input_prefix or "",
                Variable.COMPLETES_TASKS: str(bool(settings.state_machine_arns)).lower(),
            },
            statements=[
                iam.PolicyStatement(
                    # DeleteItem: an attempt that SageMaker rejected is withdrawn.
                    actions=["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
                    resources=[table.table_arn],
                ),
                *_invoke_statements(settings),
                *_upload_statements(settings),
            ],
        )
        self.role = self.handler.role
        if settings.input_prefix:
            path = settings.input_prefix.removeprefix("s3://")
            acknowledge(
                self.role,
                f"IAM5[Resource::arn:<AWS::Partition>:s3:::{path}*]",
                "Each input has a unique key; the prefix holds only inputs.",
            )


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


def _upload_statements(settings: Settings) -> list[iam.PolicyStatement]:
    if settings.input_prefix is None:
        return []
    path = settings.input_prefix.removeprefix("s3://")
    statements = [
        iam.PolicyStatement(
            actions=["s3:PutObject"], resources=[f"arn:{Aws.PARTITION}:s3:::{path}*"]
        )
    ]
    if settings.input_key_arns:
        statements.append(
            iam.PolicyStatement(
                actions=["kms:GenerateDataKey"], resources=list(settings.input_key_arns)
            )
        )
    return statements
