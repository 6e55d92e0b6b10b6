"""The optional second stack: an endpoint config that notifies the topics, and its endpoint."""

from collections.abc import Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from .inference_results import InferenceResults, inline_policy_name
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
        role = iam.Role.from_role_arn(self, "ExecutionRole", settings.execution_role_arn)
        paths = [
            path.removeprefix("s3://")
            for path in (settings.output_path, settings.failure_path)
            if path
        ]
        permissions = iam.Policy(
            self,
            "ExecutionRolePolicy",
            policy_name=inline_policy_name(self),
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["sns:Publish"],
                    resources=[results.completed.topic.topic_arn, results.failed.topic.topic_arn],
                ),
                iam.PolicyStatement(
                    actions=["s3:PutObject"],
                    resources=[f"arn:{Aws.PARTITION}:s3:::{path}*" for path in paths],
                ),
            ],
        )
        if output_key_arns:
            permissions.add_statements(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=list(output_key_arns)
                )
            )
        for path in paths:
            acknowledge(
                permissions,
                f"IAM5[Resource::arn:<AWS::Partition>:s3:::{path}*]",
                "SageMaker chooses the object keys; the prefix holds only this endpoint's objects.",
            )
        config = sagemaker.CfnEndpointConfig(
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
            async_inference_config=sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty(
                output_config=sagemaker.CfnEndpointConfig.AsyncInferenceOutputConfigProperty(
                    s3_output_path=settings.output_path,
                    s3_failure_path=settings.failure_path,
                    notification_config=sagemaker.CfnEndpointConfig.AsyncInferenceNotificationConfigProperty(
                        success_topic=results.completed.topic.topic_arn,
                        error_topic=results.failed.topic.topic_arn,
                        include_inference_response_in=list(settings.include_inference_response_in),
                    ),
                ),
                client_config=sagemaker.CfnEndpointConfig.AsyncInferenceClientConfigProperty(
                    max_concurrent_invocations_per_instance=(
                        settings.max_concurrent_invocations_per_instance
                    )
                ),
            ),
        )
        if settings.create_endpoint:
            endpoint = sagemaker.CfnEndpoint(
                self, "Endpoint", endpoint_config_name=config.attr_endpoint_config_name
            )
            # CreateEndpoint publishes a test notification, which fails without these permissions.
            endpoint.node.add_dependency(permissions)
