"""The optional second stack: an endpoint config that notifies the topics, and its endpoint."""

from collections.abc import Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from .execution_role import inline_policy_name, publish_statements
from .inference_results import InferenceResults
from .nag import acknowledge
from .settings import DEFAULT_VARIANT, EndpointSettings


class AsyncEndpointStack(Stack):
    """An endpoint config for an existing model, and optionally an endpoint.

    Nothing has a fixed name, because SageMaker replaces the config on any change.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        results: InferenceResults,
        settings: EndpointSettings,
        output_key_arns: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, id)
        permissions = self._permissions(results, settings, output_key_arns)
        config = self._endpoint_config(results, settings)
        if settings.create_endpoint:
            endpoint = sagemaker.CfnEndpoint(
                self, "Endpoint", endpoint_config_name=config.attr_endpoint_config_name
            )
            # CreateEndpoint publishes a test notification, which fails without these permissions.
            endpoint.node.add_dependency(permissions)

    def _permissions(
        self, results: InferenceResults, settings: EndpointSettings, output_key_arns: Sequence[str]
    ) -> iam.Policy:
        paths = [
            path.removeprefix("s3://")
            for path in (settings.output_path, settings.failure_path)
            if path
        ]
        policy = iam.Policy(
            self,
            "ExecutionRolePolicy",
            policy_name=inline_policy_name(self),
            roles=[iam.Role.from_role_arn(self, "ExecutionRole", settings.execution_role_arn)],
            statements=[
                *publish_statements([results.completed.topic, results.failed.topic]),
                *_output_statements(paths, output_key_arns),
            ],
        )
        for path in paths:
            acknowledge(
                policy,
                f"IAM5[Resource::arn:<AWS::Partition>:s3:::{path}*]",
                "SageMaker chooses the object keys; the prefix holds only this endpoint's objects.",
            )
        return policy

    def _endpoint_config(
        self, results: InferenceResults, settings: EndpointSettings
    ) -> sagemaker.CfnEndpointConfig:
        return sagemaker.CfnEndpointConfig(
            self,
            "EndpointConfig",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=DEFAULT_VARIANT,
                    model_name=settings.model_name,
                    instance_type=settings.instance_type,
                    initial_instance_count=settings.initial_instance_count,
                    initial_variant_weight=1,
                )
            ],
            async_inference_config=_async_inference_config(results, settings),
        )


def _output_statements(paths: Sequence[str], key_arns: Sequence[str]) -> list[iam.PolicyStatement]:
    statements = [
        iam.PolicyStatement(
            actions=["s3:PutObject"],
            resources=[f"arn:{Aws.PARTITION}:s3:::{path}*" for path in paths],
        )
    ]
    if key_arns:
        statements.append(
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=list(key_arns)
            )
        )
    return statements


def _async_inference_config(
    results: InferenceResults, settings: EndpointSettings
) -> sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty:
    config = sagemaker.CfnEndpointConfig
    return config.AsyncInferenceConfigProperty(
        output_config=config.AsyncInferenceOutputConfigProperty(
            s3_output_path=settings.output_path,
            s3_failure_path=settings.failure_path,
            notification_config=config.AsyncInferenceNotificationConfigProperty(
                success_topic=results.completed.topic.topic_arn,
                error_topic=results.failed.topic.topic_arn,
                include_inference_response_in=list(settings.include_inference_response_in),
            ),
        ),
        client_config=config.AsyncInferenceClientConfigProperty(
            max_concurrent_invocations_per_instance=(
                settings.max_concurrent_invocations_per_instance
            )
        ),
    )
