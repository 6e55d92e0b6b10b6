"""Write an item if a condition holds, in one call of DynamoDB."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from inference_results.adapters.aws.errors import condition_failed, translate_unavailable
from inference_results.adapters.table.conditions import Condition, merge_placeholders
from inference_results.adapters.table.items import to_item
from inference_results.adapters.table.updates import Update

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class UpdateResponse(NamedTuple):
    """Whether an update was written, and an item in DynamoDB's form.

    The item is the one that the update left, if requested, or the one that did not meet the
    condition; empty if none exists.
    """

    written: bool
    item: dict[str, Any]


def conditional_update(
    client: "DynamoDBClient",
    table_name: str,
    key: Mapping[str, Any],
    update: Update,
    condition: Condition,
    *,
    return_item: bool = False,
) -> UpdateResponse:
    """Call UpdateItem. Raises Unavailable.

    With a fast client, binary values of a conflicting item are base64 text, and a written item is
    never returned.
    """
    with translate_unavailable("dynamodb"):
        try:
            response = client.update_item(
                TableName=table_name,
                Key=to_item(dict(key)),
                UpdateExpression=update.expression,
                ConditionExpression=condition.expression,
                ExpressionAttributeNames=merge_placeholders(update.names, condition.names),
                ExpressionAttributeValues=to_item(
                    merge_placeholders(update.values, condition.values)
                ),
                ReturnValues="ALL_NEW" if return_item else "NONE",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            conflicting: dict[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
            return UpdateResponse(written=False, item=conflicting)
    return UpdateResponse(written=True, item=response.get("Attributes", {}))


def conditional_delete(
    client: "DynamoDBClient", table_name: str, key: Mapping[str, Any], condition: Condition
) -> bool:
    """Call DeleteItem, and return whether the condition held. Raises Unavailable."""
    with translate_unavailable("dynamodb"):
        try:
            client.delete_item(
                TableName=table_name,
                Key=to_item(dict(key)),
                ConditionExpression=condition.expression,
                ExpressionAttributeNames=dict(condition.names),
                ExpressionAttributeValues=to_item(dict(condition.values)),
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
    return True
