"""The table of inferences."""

import zlib
from dataclasses import asdict, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from inference_results.adapters.aws import unavailability
from inference_results.contract import Attribute
from inference_results.domain.inference import Outcome, Status
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
)
"""Every attribute that an outcome owns: written, or removed where the outcome lacks it."""

_NEVER_RECORDED: Final = f"attribute_not_exists({Attribute.EVENT_ORDER})"
_RECORDED_WITH_LOWER_ORDER: Final = f"{Attribute.EVENT_ORDER} < :{Attribute.EVENT_ORDER}"
_RECORDED_WITHOUT_ITS_OUTPUT: Final = (
    f"({Attribute.EVENT_ORDER} = :{Attribute.EVENT_ORDER}"
    f" AND attribute_exists({Attribute.OUTPUT_ERROR}))"
)

_serialize: Final = TypeSerializer().serialize
_deserialize: Final = TypeDeserializer().deserialize


class InferencesTable:
    """Writes outcomes conditionally, and finds records by their primary key."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def record(self, outcome: Outcome) -> Disposition:
        """One conditional UpdateItem: any order and duplication of events ends in one record."""
        values = self._item(outcome)
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
                Key=_serialized({_KEY[0]: inference_id, _KEY[1]: endpoint_name}),
                ProjectionExpression=f"{Attribute.SUBMISSION}.failure_location",
                ConsistentRead=True,
            )
        submission = _plain(answer.get("Item", {})).get(Attribute.SUBMISSION, {})
        location: str | None = submission.get("failure_location")
        return location

    def find(self, inference_id: str, endpoint_name: str | None = None) -> list[dict[str, Any]]:
        """The items of an id, on one endpoint or on all; whole numbers and bytes as Python's.

        Reads by primary key and consistently, so what was recorded is found at once. One page (1
        MB) is read: one id on some thousand endpoints is not a case.
        """
        names = {"#id": Attribute.INFERENCE_ID}
        values: dict[str, Any] = {":id": inference_id}
        condition = "#id = :id"
        if endpoint_name is not None:
            names["#endpoint"] = Attribute.ENDPOINT_NAME
            values[":endpoint"] = endpoint_name
            condition += " AND #endpoint = :endpoint"
        with unavailability("dynamodb"):
            answer = self._client.query(
                TableName=self._table_name,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=_serialized(values),
                ConsistentRead=True,
            )
        return [_plain(item) for item in answer["Items"]]

    def _item(self, outcome: Outcome) -> dict[str, Any]:
        shard = zlib.crc32(outcome.inference_id.encode()) % self._shards
        item = asdict(outcome) | {
            Attribute.ENDPOINT_SHARD: f"{shard}#{outcome.endpoint_name}",
            Attribute.ENDPOINT_SORT: outcome.event_time,
        }
        if outcome.status != Status.COMPLETED:
            item[Attribute.STATUS_SHARD] = f"{shard}#{outcome.status}"
            item[Attribute.STATUS_SORT] = outcome.event_time
        return _serialized(item)


def _serialized(values: dict[str, Any]) -> dict[str, Any]:
    return {str(name): _serialize(_storable(v)) for name, v in values.items() if v is not None}


def _storable(value: Any) -> Any:
    match value:
        case dict():
            return {name: each for name, each in value.items() if each is not None}
        case tuple():
            return list(value)
    return value


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _native(_deserialize(value)) for name, value in item.items()}


def _native(value: Any) -> Any:
    match value:
        case dict():
            return {name: _native(each) for name, each in value.items()}
        case list():
            return [_native(each) for each in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Binary():
            return bytes(value)  # type: ignore[call-overload] # missing in the stubs
    return value
