"""The table of inferences."""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from inference_results.contract import Attribute, Index

_LISTED = [
    Attribute.STATUS,
    Attribute.SUBMITTED_AT,
    Attribute.RECEIVED_AT,
    Attribute.EVENT_TIME,
    Attribute.RECORDED_AT,
    Attribute.DEADLINE,
    Attribute.EXPIRES_AT,
]
"""What a list shows. The rest would make the index as large as the table; see decision 0003."""


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


class InferencesTable(Construct):
    """One item an inference; docs/record.md describes it."""

    def __init__(
        self, scope: Construct, id: str, *, retain: bool, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, id)
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=_text(Attribute.INFERENCE_ID),
            sort_key=_text(Attribute.ENDPOINT_NAME),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute=Attribute.EXPIRES_AT,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            deletion_protection=retain,
            removal_policy=cdk.RemovalPolicy.RETAIN if retain else cdk.RemovalPolicy.DESTROY,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=Index.BY_ENDPOINT,
                    partition_key=_text(Attribute.ENDPOINT_SHARD),
                    sort_key=_text(Attribute.ENDPOINT_SORT),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=[str(name) for name in _LISTED],
                ),
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=Index.BY_STATUS,
                    partition_key=_text(Attribute.STATUS_SHARD),
                    sort_key=_text(Attribute.STATUS_SORT),
                    projection_type=dynamodb.ProjectionType.ALL,
                ),
            ],
        )
        if key:
            self._encrypt_with(key)

    def _encrypt_with(self, key: kms.IKey) -> None:
        """What TableEncryptionV2.customer_managed_key does, but without a region at synth."""
        table = self.table.node.default_child
        assert isinstance(table, dynamodb.CfnGlobalTable)
        table.add_property_override("SSESpecification", {"SSEEnabled": True, "SSEType": "KMS"})
        table.add_property_override("Replicas.0.SSESpecification.KMSMasterKeyId", key.key_arn)
