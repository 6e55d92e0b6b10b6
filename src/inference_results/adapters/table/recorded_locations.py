"""Read the S3 locations of all records."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.errors import translate_unavailable
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
    """Scans the whole table, in pages of 1 MB, and projects only the locations."""

    def __init__(self, client: "DynamoDBClient", table_name: str, retry: RetryUnavailable) -> None:
        self._client = client
        self._table_name = table_name
        self._retry = retry

    def __iter__(self) -> Iterator[str]:
        """Yield the locations of outputs and failure objects, recorded or promised.

        Reads are consistent: the result includes every location written before the iteration
        started. Raises Unavailable.
        """
        position: dict[str, Any] = {}
        while True:
            page = self._retry(partial(self._page, position))
            for item in page["Items"]:
                yield from _locations(item)
            if "LastEvaluatedKey" not in page:
                return
            position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _page(self, position: dict[str, Any]) -> "ScanOutputTypeDef":
        with translate_unavailable("dynamodb"):
            return self._client.scan(
                TableName=self._table_name,
                ProjectionExpression=_PROJECTION,
                ExpressionAttributeNames=_NAMES,
                ConsistentRead=True,
                **position,
            )


def _locations(item: dict[str, Any]) -> Iterator[str]:
    for map_name, name in _LOCATIONS:
        # Other writers can store anything in the table.
        location = item.get(map_name, {}).get("M", {}).get(name, {}).get("S")
        if location is not None:
            yield location
