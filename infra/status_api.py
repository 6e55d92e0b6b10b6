"""The HTTP API, and the function that serves its reads."""

import json
from collections.abc import Collection
from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer, HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from inference_results.contract import SUBMISSION_ROUTES, Index, Route, Service, Variable

from .function import HandlerFunction, monthly_log_group
from .output_access import allow_reading
from .settings import Settings

_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "caller": "$context.identity.caller",
    "subject": "$context.authorizer.claims.sub",
    "authorizerError": "$context.authorizer.error",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLatency": "$context.responseLatency",
    "integrationError": "$context.integrationErrorMessage",
}


class StatusApi(Construct):
    """An HTTP API whose routes require IAM authorization, or a JWT if the settings name an issuer.

    Routes that submit or register accept a JWT only with one of `jwt_submit_scopes`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITableV2,
        summaries_table: dynamodb.ITableV2,
        code: lambda_.Code,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.handler = HandlerFunction(
            self,
            "Handler",
            service=Service.STATUS_API,
            code=code,
            settings=settings,
            reserved_concurrency=settings.api_concurrency,
            environment=_environment(table, summaries_table, settings),
            statements=_query_statements(table, summaries_table),
        )
        allow_reading(self.handler.role, settings, versions=True)
        self.api = apigateway.HttpApi(
            self, "Api", default_authorizer=_authorizer(settings), create_default_stage=False
        )
        self.add_routes(frozenset(Route) - SUBMISSION_ROUTES, self.handler)
        self._add_stage()

    def add_routes(self, routes: Collection[Route], handler: HandlerFunction) -> None:
        """Integrate a function with routes."""
        integration = HttpLambdaIntegration(handler.node.id, handler.function)
        for route in sorted(routes):
            method, path = route.split(" ")
            self.api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod[method]],
                integration=integration,
                **(self._submit_authorization if route in SUBMISSION_ROUTES else {}),
            )

    def _add_stage(self) -> None:
        access_log = monthly_log_group(self, "AccessLog")
        stage = self.api.add_stage("DefaultStage", auto_deploy=True).node.default_child
        assert isinstance(stage, apigateway.CfnStage)
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=json.dumps(_ACCESS_LOG)
        )

    @property
    def _submit_authorization(self) -> dict[str, Any]:
        """A token that can query cannot submit without a scope; without scopes, IAM is required."""
        if self._settings.jwt_submit_scopes:
            return {"authorization_scopes": list(self._settings.jwt_submit_scopes)}
        return {"authorizer": HttpIamAuthorizer()}


def _environment(
    table: dynamodb.ITableV2, summaries_table: dynamodb.ITableV2, settings: Settings
) -> dict[str, str]:
    return {
        Variable.TABLE_NAME: table.table_name,
        Variable.SUMMARIES_TABLE_NAME: summaries_table.table_name,
        Variable.SHARDS: str(settings.shards),
        # Stable, and unknown to callers; it need not be secret. See decision 0008.
        Variable.CURSOR_KEY: Aws.STACK_ID,
    }


def _query_statements(
    table: dynamodb.ITableV2, summaries_table: dynamodb.ITableV2
) -> list[iam.PolicyStatement]:
    indexes = [f"{table.table_arn}/index/{index}" for index in Index]
    return [
        iam.PolicyStatement(
            actions=["dynamodb:Query", "dynamodb:BatchGetItem"], resources=[table.table_arn]
        ),
        iam.PolicyStatement(
            actions=["dynamodb:Query"], resources=[*indexes, summaries_table.table_arn]
        ),
    ]


def _authorizer(settings: Settings) -> HttpIamAuthorizer | HttpJwtAuthorizer:
    if settings.jwt_issuer is None:
        return HttpIamAuthorizer()
    return HttpJwtAuthorizer("Jwt", settings.jwt_issuer, jwt_audience=list(settings.jwt_audience))
