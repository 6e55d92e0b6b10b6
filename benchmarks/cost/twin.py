"""A table like the deployed one, which says itself what a write consumes."""

from typing import TYPE_CHECKING, Any, Final

from benchmarks.dynamodb_units import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_NAME: Final = "twin"


class Twin:
    """The rule of dynamodb_units.py against ReturnConsumedCapacity, which no function asks for."""

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
        """Raises ValueError if the same change of an item consumes something else here."""
        assert after
        if before:
            self._client.put_item(TableName=_NAME, Item=before)
        told = self._client.put_item(TableName=_NAME, Item=after, ReturnConsumedCapacity="TOTAL")
        consumed = told["ConsumedCapacity"]["CapacityUnits"]
        if consumed != units:
            raise ValueError(f"{units} write units by the rule, but {consumed} by the table")
