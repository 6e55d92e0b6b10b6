"""Update and read the summaries table. See docs/decisions/0018-counting-redriven-changes.md."""

from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.table.items import from_item
from inference_results.contract import SummaryAttribute
from inference_results.domain.summaries.counters import CountedRange, CounterUpdate, EndpointDay

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_NO_ITEM: Final = f"attribute_not_exists({SummaryAttribute.LAST_SEQUENCE})"
# Not `< :last`: after changes 1 to 5, an update with 1 to 9 would count the first five again.
_ENDS_BEFORE_UPDATE: Final = f"{SummaryAttribute.LAST_SEQUENCE} < :first"
_NOTHING_GIVEN_UP: Final = f"{SummaryAttribute.OLDEST_CHANGE_AT} >= :complete_since"
_UNCHANGED: Final = f"{SummaryAttribute.LAST_SEQUENCE} = :seen"
_GAP_SEPARATOR: Final = ".."


class SummaryStore:
    """Updates the counters of one writer, and reads those of all."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def add(self, update: CounterUpdate) -> str:
        """Apply an update, unless the counters already include its first change or a later one.

        Returns the last sequence that the counters include now. Takes one conditional UpdateItem,
        or two if it adds a gap. Raises Unavailable.
        """
        last_sequence = self._apply(update, gap_after=None)
        while last_sequence is not None and last_sequence < update.first_sequence:
            last_sequence = self._apply(update, gap_after=last_sequence)
        return update.last_sequence if last_sequence is None else last_sequence

    def _apply(self, update: CounterUpdate, *, gap_after: str | None) -> str | None:
        """Return None if the update was applied, else the stored last sequence.

        `gap_after` is the stored last sequence if the update adds a gap from there.
        """
        assignments = [
            f"{SummaryAttribute.LAST_SEQUENCE} = :last",
            f"{SummaryAttribute.FIRST_SEQUENCE} ="
            f" if_not_exists({SummaryAttribute.FIRST_SEQUENCE}, :first)",
            f"{SummaryAttribute.OLDEST_CHANGE_AT} = :oldest_change_at",
            "#expires_at = :expires_at",
        ]
        values: dict[str, Any] = {
            ":first": {"S": update.first_sequence},
            ":last": {"S": update.last_sequence},
            ":oldest_change_at": {"N": str(update.oldest_change_at)},
            ":expires_at": {"N": str(update.expires_at)},
        }
        if gap_after is None:
            condition = f"{_NO_ITEM} OR ({_ENDS_BEFORE_UPDATE} AND {_NOTHING_GIVEN_UP})"
            values[":complete_since"] = {"N": str(update.complete_since)}
        else:
            condition = _UNCHANGED
            gaps = SummaryAttribute.GAPS
            assignments.append(f"{gaps} = list_append(if_not_exists({gaps}, :none), :gap)")
            gap = {"S": f"{gap_after}{_GAP_SEPARATOR}{update.first_sequence}"}
            values |= {":seen": {"S": gap_after}, ":none": {"L": []}, ":gap": {"L": [gap]}}
        counters = list(update.counters.items())
        expression = f"SET {', '.join(assignments)}"
        if counters:
            expression += " ADD " + ", ".join(f"#{at} :{at}" for at in range(len(counters)))
        with translate_unavailable("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(update.endpoint_day, update.writer),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
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
            except self._client.exceptions.ConditionalCheckFailedException as error:
                stored: dict[str, Any] = error.response["Item"]  # type: ignore[typeddict-item]
                last_sequence: str = stored[SummaryAttribute.LAST_SEQUENCE]["S"]
                return last_sequence
        return None

    def counted_range(self, endpoint_day: EndpointDay, writer: str) -> CountedRange | None:
        """Return the changes that a writer's counters include; None before its first update.

        Raises Unavailable.
        """
        with translate_unavailable("dynamodb"):
            item = self._client.get_item(
                TableName=self._table_name, Key=_key(endpoint_day, writer), ConsistentRead=True
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
        """Return the items of an endpoint's days, both inclusive. Raises Unavailable.

        One Query, of as many pages as needed. Reads are eventually consistent, at half the price:
        the stream lags by seconds anyway.
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
                # `$` follows `#`, so this is after every writer of the last day.
                ":until": {"S": f"{until}$"},
            },
        )
        with translate_unavailable("dynamodb"):
            return [from_item(item) for page in pages for item in page["Items"]]


def _key(endpoint_day: EndpointDay, writer: str) -> dict[str, Any]:
    return {
        SummaryAttribute.ENDPOINT_NAME.value: {"S": endpoint_day.endpoint_name},
        SummaryAttribute.DAY_WRITER.value: {"S": f"{endpoint_day.day}#{writer}"},
    }


def _gap(text: str) -> tuple[str, str]:
    after, _, before = text.partition(_GAP_SEPARATOR)
    return after, before
