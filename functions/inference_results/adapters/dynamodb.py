"""The table of inferences, as it is written."""

import zlib
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws import unavailability
from inference_results.adapters.items import plain, serialized
from inference_results.contract import Attribute
from inference_results.domain.inference import Outcome, Status, endpoint_and_status
from inference_results.domain.ports import Disposition

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_KEY: Final = (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME)
_OUTCOME: Final = (
    *(Attribute(field.name) for field in fields(Outcome) if field.name not in _KEY),
    Attribute.ENDPOINT_SHARD,
    Attribute.ENDPOINT_SORT,
    Attribute.STATUS_SHARD,
    Attribute.STATUS_SORT,
    Attribute.ENDPOINT_STATUS_SHARD,
)
"""Every attribute that an outcome owns: written, or removed where the outcome lacks it."""

_NEVER_RECORDED: Final = f"attribute_not_exists({Attribute.EVENT_ORDER})"
_RECORDED_WITH_LOWER_ORDER: Final = f"{Attribute.EVENT_ORDER} < :{Attribute.EVENT_ORDER}"
_RECORDED_WITHOUT_ITS_OUTPUT: Final = (
    f"({Attribute.EVENT_ORDER} = :{Attribute.EVENT_ORDER}"
    f" AND attribute_exists({Attribute.OUTPUT_ERROR}))"
)


class InferencesTable:
    """Writes outcomes, conditionally."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def record(self, outcome: Outcome) -> Disposition:
        """One conditional UpdateItem: any order and duplication of events ends in one record."""
        values = self.item(outcome)
        key = {str(name): values.pop(name) for name in _KEY}
        removed = [name for name in _OUTCOME if name not in values]
        wins = [_NEVER_RECORDED, _RECORDED_WITH_LOWER_ORDER]
        if outcome.output_error is None:
            wins.append(_RECORDED_WITHOUT_ITS_OUTPUT)
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if removed:
            update += " REMOVE " + ", ".join(f"#{name}" for name in removed)
        with unavailability("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=key,
                    UpdateExpression=update,
                    ConditionExpression=" OR ".join(wins),
                    ExpressionAttributeNames={f"#{name}": name for name in _OUTCOME},
                    ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as lost:
                winner: dict[str, Any] = lost.response["Item"]  # type: ignore[typeddict-item]
                duplicate = winner[Attribute.EVENT_ORDER]["S"] == outcome.event_order
                return Disposition.DUPLICATE if duplicate else Disposition.SUPERSEDED
        return Disposition.RECORDED

    def submitted_failure_location(self, inference_id: str, endpoint_name: str) -> str | None:
        """The failure location that the submitter was given, where that was recorded."""
        with unavailability("dynamodb"):
            answer = self._client.get_item(
                TableName=self._table_name,
                Key=serialized({_KEY[0]: inference_id, _KEY[1]: endpoint_name}),
                ProjectionExpression=f"{Attribute.SUBMISSION}.failure_location",
                ConsistentRead=True,
            )
        submission = plain(answer.get("Item", {})).get(Attribute.SUBMISSION, {})
        location: str | None = submission.get("failure_location")
        return location

    def item(self, outcome: Outcome) -> dict[str, Any]:
        """What is written of an outcome: its attributes, and its places in the indexes."""
        shard = zlib.crc32(outcome.inference_id.encode()) % self._shards
        # Below a key of an index no two sort keys are the same, so a list can go on after any.
        place = f"{outcome.event_time}#{outcome.inference_id}"
        item = asdict(outcome) | {
            Attribute.ENDPOINT_SHARD: f"{shard}#{outcome.endpoint_name}",
            Attribute.ENDPOINT_SORT: place,
        }
        if outcome.status != Status.COMPLETED:
            item[Attribute.STATUS_SHARD] = f"{shard}#{outcome.status}"
            item[Attribute.STATUS_SORT] = f"{place}#{outcome.endpoint_name}"
            of = endpoint_and_status(outcome.endpoint_name, outcome.status)
            item[Attribute.ENDPOINT_STATUS_SHARD] = f"{shard}#{of}"
        return serialized(item)
