"""The HTTP API that answers what became of an inference."""

import json

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from inference_results.contract import Variable

from .function import HandlerFunction
from .settings import Settings

_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "caller": "$context.identity.caller",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLatency": "$context.responseLatency",
    "integrationError": "$context.integrationErrorMessage",
}


class StatusApi(Construct):
    """Every route needs IAM's `execute-api:Invoke`."""

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
        handler = HandlerFunction(
            self,
            "Handler",
            handler="status_api",
            code=code,
            settings=settings,
            environment={
                Variable.TABLE_NAME: table.table_name,
                Variable.SHARDS: str(settings.shards),
            },
            statements=[
                iam.PolicyStatement(actions=["dynamodb:Query"], resources=[table.table_arn])
            ],
        )
        self.role = handler.role
        self.api = apigateway.HttpApi(
            self, "Api", default_authorizer=HttpIamAuthorizer(), create_default_stage=False
        )
        self.api.add_routes(
            path="/inferences/{inference_id}",
            methods=[apigateway.HttpMethod.GET],
            integration=HttpLambdaIntegration("StatusApi", handler.function),
        )
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        stage = self.api.add_stage("DefaultStage", auto_deploy=True).node.default_child
        assert isinstance(stage, apigateway.CfnStage)
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=json.dumps(_ACCESS_LOG)
        )
