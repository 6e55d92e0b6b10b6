"""Permissions to read outputs and failure objects."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from .nag import acknowledge
from .settings import Settings


def allow_reading(role: iam.Role, settings: Settings, *, versions: bool = False) -> None:
    """Allow a role to read objects below `output_prefixes`, with `versions` also older versions.

    The role can list the prefixes too: without s3:ListBucket, S3 returns 403 instead of 404 for a
    missing object. `bucket.grant_read` would allow listing the whole bucket.
    """
    actions = ["s3:GetObject", *(["s3:GetObjectVersion"] if versions else [])]
    for prefix in settings.output_prefixes:
        bucket, _, path = prefix.removeprefix("s3://").partition("/")
        bucket_arn = f"arn:{cdk.Aws.PARTITION}:s3:::{bucket}"
        role.add_to_policy(
            iam.PolicyStatement(actions=actions, resources=[f"{bucket_arn}/{path}*"])
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:ListBucket"],
                resources=[bucket_arn],
                conditions={"StringLike": {"s3:prefix": f"{path}*"}},
            )
        )
        acknowledge(
            role,
            f"IAM5[Resource::arn:<AWS::Partition>:s3:::{bucket}/{path}*]",
            "SageMaker chooses the keys of outputs; the prefix is one of output_prefixes.",
        )
    if settings.output_key_arns:
        role.add_to_policy(
            iam.PolicyStatement(actions=["kms:Decrypt"], resources=list(settings.output_key_arns))
        )
