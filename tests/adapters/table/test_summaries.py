from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from inference_results.adapters.table.summaries import SummaryStore
from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.summaries.counters import (
    CountedRange,
    CounterUpdate,
    CountResults,
    EndpointDay,
)

DAY = EndpointDay("here", "2026-01-25")


@pytest.fixture
def table(summaries_table_name):
    return SummaryStore(boto3.client("dynamodb"), summaries_table_name)


def update(first="2", last="4", day=DAY.day, writer="shard", **counters):
    return CounterUpdate(
        endpoint_day=EndpointDay("here", day),
        writer=writer,
        first_sequence=first,
        last_sequence=last,
        counters=counters or {"status#Completed": 3, "latency#87": 3},
        expires_at=2_000_000_000,
        oldest_change_at=1_769_342_400,
        complete_since=0,
    )


def read(table, since=DAY.day, until=DAY.day):
    return table.read("here", since, until)


def test_an_update_is_read(table):
    assert table.add(update()) == "4"
    assert read(table) == [
        {
            "endpoint_name": "here",
            "day_writer": "2026-01-25#shard",
            "first_sequence": "2",
            "last_sequence": "4",
            "oldest_change_at": 1_769_342_400,
            "expires_at": 2_000_000_000,
            "status#Completed": 3,
            "latency#87": 3,
        }
    ]


def test_later_changes_are_added_to_the_counters(table):
    table.add(update())
    more = {"status#Completed": -1, "status#Pre#empted: 50 %": 1}
    assert table.add(replace(update("5", "5"), counters=more)) == "5"
    (item,) = read(table)
    assert item["status#Completed"] == 2
    assert item["status#Pre#empted: 50 %"] == 1
    assert item["last_sequence"] == "5"


@pytest.mark.parametrize(
    ("first", "last"), [("2", "4"), ("1", "3"), ("4", "4"), ("3", "6"), ("1", "9")]
)
def test_an_update_that_starts_with_a_counted_change_is_rejected(table, first, last):
    table.add(update())
    before = read(table)
    assert table.add(update(first, last)) == "4"
    assert read(table) == before


def test_an_update_without_counters_still_sets_the_last_sequence(table):
    assert table.add(replace(update(), counters={})) == "4"
    assert read(table)[0]["last_sequence"] == "4"


def test_the_most_counters_of_an_update_fit_an_expression(aws):
    """DynamoDB's limit is 4 KB. Stubbed, because moto cannot parse so many."""
    client = boto3.client("dynamodb")
    sent = {}
    client.meta.events.register(
        "provide-client-params.dynamodb.UpdateItem", lambda params, **_: sent.update(params)
    )
    counters = {f"status#{'x' * 60}{number}": 1 for number in range(250)}
    with Stubber(client) as stub:
        stub.add_response("update_item", {})
        SummaryStore(client, "summaries").add(replace(update(), counters=counters))
    assert len(sent["UpdateExpression"]) < 4096
    assert {*counters} <= {*sent["ExpressionAttributeNames"].values()}


def test_writers_have_separate_items(table):
    table.add(update(writer="one"))
    table.add(update(writer="two"))
    assert [item["day_writer"] for item in read(table)] == ["2026-01-25#one", "2026-01-25#two"]


def test_only_the_requested_days_are_read(table):
    days = ["2026-01-24", "2026-01-25", "2026-01-26", "2026-01-27"]
    for day in days:
        table.add(update(day=day, writer="shardId-0~"))
    found = [item["day_writer"][:10] for item in read(table, days[1], days[2])]
    assert found == days[1:3]
    assert table.read("there", days[0], days[-1]) == []


def test_all_pages_are_read(table):
    long = {f"status#{number}{'x' * 45_000}": 1 for number in range(4)}
    for writer in range(8):  # 180 KB each: more than a page of 1 MB
        table.add(replace(update(writer=f"shard-{writer}"), counters=long))
    assert len(read(table)) == 8


@pytest.mark.parametrize("operation", ["update_item", "query", "get_item"])
def test_throttling_is_unavailable(aws, operation):
    client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    table = SummaryStore(client, "summaries")
    with Stubber(client) as stub:
        stub.add_client_error(operation, "ThrottlingException", http_status_code=400)
        with pytest.raises(Unavailable, match="dynamodb: ThrottlingException"):
            {
                "update_item": lambda: table.add(update()),
                "query": lambda: read(table),
                "get_item": lambda: table.counted_range(DAY, "shard"),
            }[operation]()


def test_changes_in_any_batches_are_counted_once(table):
    result = {"endpoint_name": "here", "status": "Completed", "event_time": "2026-01-25T12:00:00Z"}
    changes = [
        Change(sequence=f"{number:040}", made_at=0, before=None, after=result)
        for number in range(20)
    ]
    count = CountResults(
        counters=table, retention=timedelta(days=90), now=lambda: datetime(2026, 1, 25, tzinfo=UTC)
    )
    for begin, end in [(0, 5), (0, 3), (3, 9), (0, 9), (8, 12), (9, 20), (0, 20), (19, 20)]:
        count("shard", changes[begin:end])
    assert read(table)[0]["status#Completed"] == 20


def test_a_gap_is_added_if_the_last_batch_is_old(table):
    table.add(replace(update("2", "4"), oldest_change_at=1000))
    table.add(replace(update("6", "7"), oldest_change_at=1500, complete_since=1000))
    assert table.add(replace(update("8", "9"), oldest_change_at=3000, complete_since=2000)) == "9"
    assert table.counted_range(DAY, "shard") == CountedRange(
        first="2", last="9", gaps=(("7", "8"),)
    )
    assert read(table)[0]["status#Completed"] == 9


def test_after_a_gap_no_change_is_counted_twice(table):
    for _ in range(2):
        table.add(replace(update("2", "4"), oldest_change_at=1000, complete_since=2000))
        assert (
            table.add(replace(update("8", "9"), oldest_change_at=1000, complete_since=2000)) == "9"
        )
    assert table.add(replace(update("3", "5"), oldest_change_at=1000, complete_since=2000)) == "9"
    assert read(table)[0]["status#Completed"] == 6
    assert table.counted_range(DAY, "shard") == CountedRange(
        first="2", last="9", gaps=(("4", "8"),)
    )


def test_a_writer_without_updates_has_no_counted_range(table):
    assert table.counted_range(DAY, "shard") is None
