"""The inferences table."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from inference_results.contract import LISTED_ATTRIBUTES, Attribute, Index

from .table import expiring_table, string_attribute

_KEYS = (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME)


class InferencesTable(Construct):
    """One item for each inference. docs/record.md describes it."""

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
            global_secondary_indexes=_indexes(),
        )


def _indexes() -> list[dynamodb.GlobalSecondaryIndexPropsV2]:
    return [
        dynamodb.GlobalSecondaryIndexPropsV2(
            index_name=Index.BY_ENDPOINT,
            partition_key=string_attribute(Attribute.ENDPOINT_SHARD),
            sort_key=string_attribute(Attribute.ENDPOINT_SORT),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=_listed_except(*_KEYS, Attribute.FAILURE),
        ),
        dynamodb.GlobalSecondaryIndexPropsV2(
            index_name=Index.BY_ENDPOINT_AND_STATUS,
            partition_key=string_attribute(Attribute.ENDPOINT_STATUS_SHARD),
            sort_key=string_attribute(Attribute.STATUS_SORT),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=_listed_except(*_KEYS),
        ),
        dynamodb.GlobalSecondaryIndexPropsV2(
            index_name=Index.BY_STATUS,
            partition_key=string_attribute(Attribute.STATUS_SHARD),
            sort_key=string_attribute(Attribute.STATUS_SORT),
            projection_type=dynamodb.ProjectionType.ALL,
        ),
    ]


def _listed_except(*excluded: Attribute) -> list[str]:
    """Project only what lists show: every projected KB is paid for again. See decision 0003."""
    return [str(name) for name in LISTED_ATTRIBUTES if name not in excluded]
