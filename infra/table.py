"""DynamoDB tables whose items expire."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct


def string_attribute(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def expiring_table(
    scope: Construct,
    id: str,
    *,
    partition_key: str,
    sort_key: str,
    expiry: str,
    retain: bool,
    key: kms.IKey | None,
    **options: Any,
) -> dynamodb.TableV2:
    """Create an on-demand table with point-in-time recovery and TTL.

    `expiry` is the TTL attribute. `options` are passed to TableV2.
    """
    table = dynamodb.TableV2(
        scope,
        id,
        partition_key=string_attribute(partition_key),
        sort_key=string_attribute(sort_key),
        billing=dynamodb.Billing.on_demand(),
        time_to_live_attribute=expiry,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=retain,
        removal_policy=cdk.RemovalPolicy.RETAIN if retain else cdk.RemovalPolicy.DESTROY,
        **options,
    )
    if key:
        _encrypt(table, key)
    return table


def _encrypt(table: dynamodb.TableV2, key: kms.IKey) -> None:
    """Like TableEncryptionV2.customer_managed_key, but for stacks without an explicit region."""
    resource = table.node.default_child
    assert isinstance(resource, dynamodb.CfnGlobalTable)
    resource.add_property_override("SSESpecification", {"SSEEnabled": True, "SSEType": "KMS"})
    resource.add_property_override("Replicas.0.SSESpecification.KMSMasterKeyId", key.key_arn)
