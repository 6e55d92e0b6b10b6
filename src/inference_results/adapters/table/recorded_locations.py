"""The table of inferences, as to which objects it points to."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.reconciliation.retry import RetryUnavailable

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import ScanOutputTypeDef

_LOCATIONS: Final = (
    (Attribute.OUTPUT, "location"),
    (Attribute.OUTPUT_ERROR, "location"),
    (Attribute.FAILURE, "location"),
    (Attribute.SUBMISSION, SubmissionMember.OUTPUT_LOCATION),
    (Attribute.SUBMISSION, SubmissionMember.FAILURE_LOCATION),
)
_NAMES: Final = {f"#{name}": name for names in _LOCATIONS for name in names}
_PROJECTION: Final = ", ".join(f"#{map_name}.#{name}" for map_name, name in _LOCATIONS)


class RecordedLocations:
    """Reads the whole table, one page of 1 MB after the other, for nothing but its locations."""

    def __init__(
        self, client: "DynamoDBClient", table_name: str, patience: RetryUnavailable
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._patience = patience

    def __iter__(self) -> Iterator[str]:
        """Of outputs and of failure objects, recorded or promised. Raises Unavailable.

        Consistent: whatever was recorded before the first page is among them.
        """
        place: dict[str, Any] = {}
        while True:
            page = self._patience(partial(self._page, place))
            for item in page["Items"]:
                yield from _locations(item)
            if "LastEvaluatedKey" not in page:
                return
            place = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _page(self, place: dict[str, Any]) -> "ScanOutputTypeDef":
        with translate_unavailable("dynamodb"):
            return self._client.scan(
                TableName=self._table_name,
                ProjectionExpression=_PROJECTION,
                ExpressionAttributeNames=_NAMES,
                ConsistentRead=True,
                **place,
            )


def _locations(item: dict[str, Any]) -> Iterator[str]:
    for map_name, name in _LOCATIONS:
        # Whoever may write to the table may write anything.
        location = item.get(map_name, {}).get("M", {}).get(name, {}).get("S")
        if location is not None:
            yield location
