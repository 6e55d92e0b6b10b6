"""Check the write units calculated by dynamodb_units.py against ReturnConsumedCapacity."""

from typing import TYPE_CHECKING, Any, Final

from benchmarks.dynamodb_units import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_NAME: Final = "capacity-check"


class CapacityCheck:
    """A copy of the deployed table that reports its consumed capacity.

    The deployed functions do not request it.
    """

    def __init__(self, client: "DynamoDBClient", table: Any) -> None:
        self._client = client
        indexes: Any = [
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in table["GlobalSecondaryIndexes"]
        ]
        client.create_table(
            TableName=_NAME,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=table["AttributeDefinitions"],
            KeySchema=table["KeySchema"],
            GlobalSecondaryIndexes=indexes,
        )

    def check(self, before: Item | None, after: Item | None, units: int) -> None:
        """Repeat a change in the copy. Raises ValueError if it consumes other than `units`."""
        assert after
        if before:
            self._client.put_item(TableName=_NAME, Item=before)
        response = self._client.put_item(
            TableName=_NAME, Item=after, ReturnConsumedCapacity="TOTAL"
        )
        consumed = response["ConsumedCapacity"]["CapacityUnits"]
        if consumed != units:
            raise ValueError(f"calculated {units} write units, but the table consumed {consumed}")
