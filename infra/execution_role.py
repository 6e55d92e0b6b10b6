"""Permissions of a model's execution role."""

from collections.abc import Iterable

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct


def inline_policy_name(owner: Construct) -> str:
    """Return a unique name for an inline policy of a role that other stacks may extend too.

    This is the only physical name of the stack: roles are global, and CloudFormation overwrites an
    inline policy of the same name.
    """
    return f"{Aws.STACK_NAME}-{Aws.REGION}-{owner.node.addr[-8:]}"


def publish_statements(
    topics: Iterable[sns.ITopic], *, key: kms.IKey | None = None
) -> list[iam.PolicyStatement]:
    """Return the permissions to publish to topics that `key` encrypts."""
    statements = [
        iam.PolicyStatement(
            actions=["sns:Publish"], resources=[topic.topic_arn for topic in topics]
        )
    ]
    if key:
        statements.append(
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]
            )
        )
    return statements
