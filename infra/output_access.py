"""What a function may read of the outputs."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from .nag import acknowledge
from .settings import Settings


def allow_reading(role: iam.Role, settings: Settings, *, versions: bool = False) -> None:
    """Objects below the prefixes, and with `versions` their older versions by number.

    Without the right to list, S3 answers 403 for a missing object. Not `bucket.grant_read`: that
    lists the whole bucket.
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
            "The keys of outputs are not known beforehand; the prefix is the allowed one.",
        )
    if settings.output_key_arns:
        role.add_to_policy(
            iam.PolicyStatement(actions=["kms:Decrypt"], resources=list(settings.output_key_arns))
        )
