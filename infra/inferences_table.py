"""The table of inferences."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from inference_results.contract import Attribute, Index

from .table import expiring_table, text

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


class InferencesTable(Construct):
    """One item an inference; docs/record.md describes it."""

    def __init__(
        self, scope: Construct, id: str, *, retain: bool, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, id)
        self.table = expiring_table(
            self,
            "Table",
            partition_key=Attribute.INFERENCE_ID,
            sort_key=Attribute.ENDPOINT_NAME,
            expiry=Attribute.EXPIRES_AT,
            retain=retain,
            key=key,
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=Index.BY_ENDPOINT,
                    partition_key=text(Attribute.ENDPOINT_SHARD),
                    sort_key=text(Attribute.ENDPOINT_SORT),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=[str(name) for name in _LISTED],
                ),
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=Index.BY_ENDPOINT_AND_STATUS,
                    partition_key=text(Attribute.ENDPOINT_STATUS_SHARD),
                    sort_key=text(Attribute.STATUS_SORT),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=[str(name) for name in (*_LISTED, Attribute.FAILURE)],
                ),
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=Index.BY_STATUS,
                    partition_key=text(Attribute.STATUS_SHARD),
                    sort_key=text(Attribute.STATUS_SORT),
                    projection_type=dynamodb.ProjectionType.ALL,
                ),
            ],
        )
