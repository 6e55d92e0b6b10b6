"""Update and read the summaries table. See docs/decisions/0018-counting-redriven-changes.md."""

from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.table.conditional_writes import conditional_update
from inference_results.adapters.table.conditions import (
    Condition,
    at_least,
    equals,
    less_than,
    not_exists,
)
from inference_results.adapters.table.items import from_item, to_item
from inference_results.adapters.table.updates import Update
from inference_results.contract import SummaryAttribute
from inference_results.domain.summaries.counters import CountedRange, CounterUpdate, EndpointDay

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_NO_ITEM: Final = not_exists(SummaryAttribute.LAST_SEQUENCE)
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
        condition = _follows_counted_changes(update)
        gaps: dict[str, list[str]] = {}
        if gap_after is not None:
            condition = equals(SummaryAttribute.LAST_SEQUENCE, gap_after=gap_after)
            gap = f"{gap_after}{_GAP_SEPARATOR}{update.first_sequence}"
            gaps = {SummaryAttribute.GAPS: [gap]}
        written, stored = conditional_update(
            self._client,
            self._table_name,
            _key(update.endpoint_day, update.writer),
            Update(
                set={
                    SummaryAttribute.LAST_SEQUENCE: update.last_sequence,
                    SummaryAttribute.OLDEST_CHANGE_AT: update.oldest_change_at,
                    SummaryAttribute.EXPIRES_AT: update.expires_at,
                },
                set_if_missing={SummaryAttribute.FIRST_SEQUENCE: update.first_sequence},
                append=gaps,
                add=update.counters,
            ),
            condition,
        )
        return None if written else stored[SummaryAttribute.LAST_SEQUENCE]["S"]

    def counted_range(self, endpoint_day: EndpointDay, writer: str) -> CountedRange | None:
        """Return the changes that a writer's counters include; None before its first update.

        Raises Unavailable.
        """
        with translate_unavailable("dynamodb"):
            item = self._client.get_item(
                TableName=self._table_name,
                Key=to_item(_key(endpoint_day, writer)),
                ConsistentRead=True,
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


def _follows_counted_changes(update: CounterUpdate) -> Condition:
    """The counters include no change of the update, and Lambda gave up none before it."""
    # Not less than the last sequence: after changes 1 to 5, an update with 1 to 9 would count the
    # first five again.
    ends_before_update = less_than(
        SummaryAttribute.LAST_SEQUENCE, first_sequence=update.first_sequence
    )
    nothing_given_up = at_least(
        SummaryAttribute.OLDEST_CHANGE_AT, complete_since=update.complete_since
    )
    return _NO_ITEM | (ends_before_update & nothing_given_up)


def _key(endpoint_day: EndpointDay, writer: str) -> dict[str, Any]:
    return {
        SummaryAttribute.ENDPOINT_NAME: endpoint_day.endpoint_name,
        SummaryAttribute.DAY_WRITER: f"{endpoint_day.day}#{writer}",
    }


def _gap(text: str) -> tuple[str, str]:
    after, _, before = text.partition(_GAP_SEPARATOR)
    return after, before
