"""The table of summaries."""

from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.adapters.table.items import from_item
from inference_results.contract import SummaryAttribute
from inference_results.domain.summaries.counters import CountedRange, CounterUpdate, EndpointDay

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_NEVER_WRITTEN: Final = f"attribute_not_exists({SummaryAttribute.LAST_SEQUENCE})"
# Not `< :last`: of changes 1 to 9, after 1 to 5 were added, the first five would count again.
_WRITTEN_BEFORE_THE_FIRST: Final = f"{SummaryAttribute.LAST_SEQUENCE} < :first"
_NOT_LONG_AGO: Final = f"{SummaryAttribute.OLDEST_CHANGE_AT} >= :sure_since"
_WRITTEN_AS_SEEN: Final = f"{SummaryAttribute.LAST_SEQUENCE} = :seen"
_BETWEEN: Final = ".."


class SummaryStore:
    """Adds to the counters of one writer, and reads those of all."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def add(self, addition: CounterUpdate) -> str:
        """One conditional UpdateItem, or two where a gap is noted: no change is counted twice."""
        seen = self._refusal(addition, None)
        while seen is not None and seen < addition.first_sequence:
            seen = self._refusal(addition, seen)
        return addition.last_sequence if seen is None else seen

    def _refusal(self, addition: CounterUpdate, seen: str | None) -> str | None:
        """The last sequence that is stored, if it is not added; `seen`: note a gap behind that."""
        set_ = [
            f"{SummaryAttribute.LAST_SEQUENCE} = :last",
            f"{SummaryAttribute.FIRST_SEQUENCE} ="
            f" if_not_exists({SummaryAttribute.FIRST_SEQUENCE}, :first)",
            f"{SummaryAttribute.OLDEST_CHANGE_AT} = :began",
            "#expires_at = :expires_at",
        ]
        values: dict[str, Any] = {
            ":first": {"S": addition.first_sequence},
            ":last": {"S": addition.last_sequence},
            ":began": {"N": str(addition.began)},
            ":expires_at": {"N": str(addition.expires_at)},
        }
        if seen is None:
            may = f"{_NEVER_WRITTEN} OR ({_WRITTEN_BEFORE_THE_FIRST} AND {_NOT_LONG_AGO})"
            values[":sure_since"] = {"N": str(addition.sure_since)}
        else:
            may = _WRITTEN_AS_SEEN
            gaps = SummaryAttribute.GAPS
            set_.append(f"{gaps} = list_append(if_not_exists({gaps}, :none), :gap)")
            gap = {"S": f"{seen}{_BETWEEN}{addition.first_sequence}"}
            values |= {":seen": {"S": seen}, ":none": {"L": []}, ":gap": {"L": [gap]}}
        counters = list(addition.counters.items())
        update = f"SET {', '.join(set_)}"
        if counters:
            update += " ADD " + ", ".join(f"#{at} :{at}" for at in range(len(counters)))
        with translate_unavailable("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(addition.of, addition.writer),
                    UpdateExpression=update,
                    ConditionExpression=may,
                    ExpressionAttributeNames={
                        "#expires_at": SummaryAttribute.EXPIRES_AT,
                        **{f"#{at}": name for at, (name, _) in enumerate(counters)},
                    },
                    ExpressionAttributeValues={
                        **values,
                        **{f":{at}": {"N": str(each)} for at, (_, each) in enumerate(counters)},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as refused:
                stored: dict[str, Any] = refused.response["Item"]  # type: ignore[typeddict-item]
                sequence: str = stored[SummaryAttribute.LAST_SEQUENCE]["S"]
                return sequence
        return None

    def counted(self, of: EndpointDay, writer: str) -> CountedRange | None:
        with translate_unavailable("dynamodb"):
            item = self._client.get_item(
                TableName=self._table_name, Key=_key(of, writer), ConsistentRead=True
            ).get("Item")
        if item is None:
            return None
        stored = from_item(item)
        return CountedRange(
            first=stored[SummaryAttribute.FIRST_SEQUENCE],
            last=stored[SummaryAttribute.LAST_SEQUENCE],
            gaps=tuple(_gap(text) for text in stored.get(SummaryAttribute.GAPS, [])),
        )

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
        with translate_unavailable("dynamodb"):
            return [from_item(item) for page in pages for item in page["Items"]]


def _key(of: EndpointDay, writer: str) -> dict[str, Any]:
    return {
        SummaryAttribute.ENDPOINT_NAME.value: {"S": of.endpoint_name},
        SummaryAttribute.DAY_WRITER.value: {"S": f"{of.day}#{writer}"},
    }


def _gap(text: str) -> tuple[str, str]:
    after, _, before = text.partition(_BETWEEN)
    return after, before
