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


def addition(first="2", last="4", day=DAY.day, writer="shard", **counters):
    return CounterUpdate(
        of=EndpointDay("here", day),
        writer=writer,
        first_sequence=first,
        last_sequence=last,
        counters=counters or {"status#Completed": 3, "latency#87": 3},
        expires_at=2_000_000_000,
        began=1_769_342_400,
        sure_since=0,
    )


def read(table, since=DAY.day, until=DAY.day):
    return table.read("here", since, until)


def test_what_is_added_is_read(table):
    assert table.add(addition()) == "4"
    assert read(table) == [
        {
            "endpoint_name": "here",
            "day_writer": "2026-01-25#shard",
            "first_sequence": "2",
            "last_sequence": "4",
            "began": 1_769_342_400,
            "expires_at": 2_000_000_000,
            "status#Completed": 3,
            "latency#87": 3,
        }
    ]


def test_later_changes_are_added_to_what_is_there(table):
    table.add(addition())
    more = {"status#Completed": -1, "status#Pre#empted: 50 %": 1}
    assert table.add(replace(addition("5", "5"), counters=more)) == "5"
    (item,) = read(table)
    assert item["status#Completed"] == 2
    assert item["status#Pre#empted: 50 %"] == 1
    assert item["last_sequence"] == "5"


@pytest.mark.parametrize(
    ("first", "last"), [("2", "4"), ("1", "3"), ("4", "4"), ("3", "6"), ("1", "9")]
)
def test_an_addition_that_begins_with_what_was_added_is_refused_whole(table, first, last):
    table.add(addition())
    before = read(table)
    assert table.add(addition(first, last)) == "4"
    assert read(table) == before


def test_an_addition_of_nothing_still_says_how_far_it_goes(table):
    assert table.add(replace(addition(), counters={})) == "4"
    assert read(table)[0]["last_sequence"] == "4"


def test_as_many_counters_as_one_addition_may_have_fit_an_expression(aws):
    """DynamoDB takes 4 KB of it. Stubbed: moto's parser does not follow as many."""
    client = boto3.client("dynamodb")
    sent = {}
    client.meta.events.register(
        "provide-client-params.dynamodb.UpdateItem", lambda params, **_: sent.update(params)
    )
    counters = {f"status#{'x' * 60}{number}": 1 for number in range(250)}
    with Stubber(client) as stub:
        stub.add_response("update_item", {})
        SummaryStore(client, "summaries").add(replace(addition(), counters=counters))
    assert len(sent["UpdateExpression"]) < 4096
    assert len(sent["ExpressionAttributeNames"]) == 250 + 1


def test_writers_do_not_refuse_each_other(table):
    table.add(addition(writer="one"))
    table.add(addition(writer="two"))
    assert [item["day_writer"] for item in read(table)] == ["2026-01-25#one", "2026-01-25#two"]


def test_the_days_asked_for_are_read_and_no_others(table):
    days = ["2026-01-24", "2026-01-25", "2026-01-26", "2026-01-27"]
    for day in days:
        table.add(addition(day=day, writer="shardId-0~"))
    found = [item["day_writer"][:10] for item in read(table, days[1], days[2])]
    assert found == days[1:3]
    assert table.read("there", days[0], days[-1]) == []


def test_more_than_a_page_is_read(table):
    long = {f"status#{number}{'x' * 45_000}": 1 for number in range(4)}
    for writer in range(8):  # 180 KB each; a page has 1 MB
        table.add(replace(addition(writer=f"shard-{writer}"), counters=long))
    assert len(read(table)) == 8


@pytest.mark.parametrize("operation", ["update_item", "query", "get_item"])
def test_throttling_may_pass(aws, operation):
    client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    table = SummaryStore(client, "summaries")
    with Stubber(client) as stub:
        stub.add_client_error(operation, "ThrottlingException", http_status_code=400)
        with pytest.raises(Unavailable, match="dynamodb: ThrottlingException"):
            {
                "update_item": lambda: table.add(addition()),
                "query": lambda: read(table),
                "get_item": lambda: table.counted(DAY, "shard"),
            }[operation]()


def test_changes_told_in_any_pieces_and_again_are_counted_once(table):
    result = {"endpoint_name": "here", "status": "Completed", "event_time": "2026-01-25T12:00:00Z"}
    changes = [
        Change(sequence=f"{number:040}", made_at=0, before=None, after=result)
        for number in range(20)
    ]
    count = CountResults(
        counts=table, retention=timedelta(days=90), now=lambda: datetime(2026, 1, 25, tzinfo=UTC)
    )
    for begin, end in [(0, 5), (0, 3), (3, 9), (0, 9), (8, 12), (9, 20), (0, 20), (19, 20)]:
        count("shard", changes[begin:end])
    assert read(table)[0]["status#Completed"] == 20


def test_a_gap_is_noted_where_the_last_batch_began_long_ago(table):
    table.add(replace(addition("2", "4"), began=1000))
    table.add(replace(addition("6", "7"), began=1500, sure_since=1000))
    assert table.add(replace(addition("8", "9"), began=3000, sure_since=2000)) == "9"
    assert table.counted(DAY, "shard") == CountedRange(first="2", last="9", gaps=(("7", "8"),))
    assert read(table)[0]["status#Completed"] == 9


def test_behind_a_gap_nothing_counts_twice_either(table):
    for _ in range(2):
        table.add(replace(addition("2", "4"), began=1000, sure_since=2000))
        assert table.add(replace(addition("8", "9"), began=1000, sure_since=2000)) == "9"
    assert table.add(replace(addition("3", "5"), began=1000, sure_since=2000)) == "9"
    assert read(table)[0]["status#Completed"] == 6
    assert table.counted(DAY, "shard") == CountedRange(first="2", last="9", gaps=(("4", "8"),))


def test_of_a_writer_that_never_wrote_nothing_is_counted(table):
    assert table.counted(DAY, "shard") is None
