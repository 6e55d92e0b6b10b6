"""The table of summaries."""

from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws import unavailability
from inference_results.adapters.items import plain
from inference_results.contract import SummaryAttribute
from inference_results.domain.counting import Addition

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_NEVER_WRITTEN: Final = f"attribute_not_exists({SummaryAttribute.LAST_SEQUENCE})"
# Not `< :last`: of changes 1 to 9, after 1 to 5 were added, the first five would count again.
_WRITTEN_BEFORE_THE_FIRST: Final = f"{SummaryAttribute.LAST_SEQUENCE} < :first"


class SummariesTable:
    """Adds to the counters of one writer, and reads those of all."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def add(self, addition: Addition) -> str:
        """One conditional UpdateItem: no change is counted twice."""
        counters = list(addition.counters.items())
        update = f"SET {SummaryAttribute.LAST_SEQUENCE} = :last, #expires_at = :expires_at"
        if counters:
            update += " ADD " + ", ".join(f"#{at} :{at}" for at in range(len(counters)))
        with unavailability("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key={
                        SummaryAttribute.ENDPOINT_NAME.value: {"S": addition.of.endpoint_name},
                        SummaryAttribute.DAY_WRITER.value: {
                            "S": f"{addition.of.day}#{addition.writer}"
                        },
                    },
                    UpdateExpression=update,
                    ConditionExpression=f"{_NEVER_WRITTEN} OR {_WRITTEN_BEFORE_THE_FIRST}",
                    ExpressionAttributeNames={
                        "#expires_at": SummaryAttribute.EXPIRES_AT,
                        **{f"#{at}": name for at, (name, _) in enumerate(counters)},
                    },
                    ExpressionAttributeValues={
                        ":first": {"S": addition.first_sequence},
                        ":last": {"S": addition.last_sequence},
                        ":expires_at": {"N": str(addition.expires_at)},
                        **{f":{at}": {"N": str(each)} for at, (_, each) in enumerate(counters)},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as refused:
                stored: dict[str, Any] = refused.response["Item"]  # type: ignore[typeddict-item]
                sequence: str = stored[SummaryAttribute.LAST_SEQUENCE]["S"]
                return sequence
        return addition.last_sequence

    def read(self, endpoint_name: str, since: str, until: str) -> list[dict[str, Any]]:
        """The items of an endpoint's days, both included; one Query, of as many pages as it takes.

        Not consistent, at half the price: the stream lags by seconds anyway.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="#endpoint = :endpoint AND #day BETWEEN :since AND :until",
            ExpressionAttributeNames={
                "#endpoint": SummaryAttribute.ENDPOINT_NAME,
                "#day": SummaryAttribute.DAY_WRITER,
            },
            ExpressionAttributeValues={
                ":endpoint": {"S": endpoint_name},
                ":since": {"S": f"{since}#"},
                # The character after `#`: beyond every writer of the day.
                ":until": {"S": f"{until}$"},
            },
        )
        with unavailability("dynamodb"):
            return [plain(item) for page in pages for item in page["Items"]]
