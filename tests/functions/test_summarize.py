from datetime import UTC, datetime

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer

from inference_results.adapters.table.summaries import SummaryStore
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.summaries.summarize import SummarizeEndpoint

SHARD = "shardId-00000001735776000000-0a1b2c3d"


@pytest.fixture
def handler(load_handler):
    return load_handler("summarize")


@pytest.fixture
def days(summaries_table_name):
    """Return a function that reads an endpoint's summary."""

    def days(endpoint_name="here"):
        store = SummaryStore(boto3.client("dynamodb"), summaries_table_name)
        summarize = SummarizeEndpoint(
            summaries=store, now=lambda: datetime(2026, 1, 25, 13, tzinfo=UTC)
        )
        return summarize(endpoint_name)["days"]

    return days


def image(inference_id, status="Completed", **more):
    """Return a stream image with attributes of every type."""
    item = {
        "inference_id": inference_id,
        "endpoint_name": "here",
        "status": status,
        "event_time": "2026-01-25T12:00:00.500Z",
        "received_at": "2026-01-25T12:00:00.000Z",
        "expires_at": 2_000_000_000,
        "output": {"location": "s3://bucket/key", "inline": b"\xff"},
        "ignored_fields": ["one"],
        **more,
    }
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def record(sequence, new=None, old=None):
    images = {"NewImage": new, "OldImage": old}
    return {
        "eventID": "id",
        "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "SequenceNumber": str(sequence),
            "ApproximateCreationDateTime": 1_769_342_400.0,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: each for name, each in images.items() if each},
        },
    }


def event(*records, **more):
    """Return a stream event of a tumbling window, as Lambda sends it."""
    return {
        "Records": list(records),
        "window": {"start": "2026-01-25T12:00:00Z", "end": "2026-01-25T12:15:00Z"},
        "state": {},
        "shardId": SHARD,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/s",
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
        **more,
    }


def test_results_of_a_batch_are_counted(handler, days, context):
    records = [record(100 + number, image(f"id-{number}")) for number in range(3)]
    assert handler(event(*records, record(104, image("bad", "Failed"))), context) == {"state": {}}
    assert days() == [
        {
            "day": "2026-01-25",
            "counts": {"Completed": 3, "Failed": 1},
            "latency": {
                "count": 4,
                "p50_ms": 520,
                "p90_ms": 520,
                "p99_ms": 520,
                "histogram": [{"up_to_ms": 547, "count": 4}],
            },
        }
    ]


def test_a_redelivered_batch_is_not_counted_twice(handler, days, context):
    batch = event(record(1, image("a")), record(2, image("b", "Failed")))
    handler(batch, context)
    before = days()
    handler(batch, context)
    assert days() == before


def test_sequence_numbers_are_compared_as_numbers(handler, days, context):
    """Sequence numbers of DynamoDB have 21 to 40 digits."""
    handler(event(record(9 * 10**20, image("a"))), context)
    handler(event(record(10**39, image("b"))), context)
    assert days()[0]["counts"] == {"Completed": 2}


def test_a_later_result_replaces_the_earlier_one_in_the_counts(handler, days, context):
    handler(event(record(1, image("a", "Failed"))), context)
    handler(event(record(2, image("a"), image("a", "Failed"))), context)
    assert days()[0]["counts"] == {"Completed": 1}


def test_a_deleted_record_stays_counted(handler, days, context):
    handler(event(record(1, image("a")), record(2, old=image("a"))), context)
    assert days()[0]["counts"] == {"Completed": 1}


def test_the_last_call_of_a_window_can_have_no_records(handler, days, context):
    final = event(isFinalInvokeForWindow=True)
    del final["Records"]
    assert handler(final, context) == {"state": {}}
    assert days() == []


def test_shards_are_counted_independently(handler, days, context):
    handler(event(record(5, image("a"))), context)
    handler(event(record(5, image("b")), shardId="shardId-2"), context)
    assert days()[0]["counts"] == {"Completed": 2}


def test_an_event_without_a_shard_id_is_counted(handler, days, context):
    """Emulators whose streams have a single shard can omit it."""
    handler({"Records": [record(1, image("a"))]}, context)
    assert days()[0]["counts"] == {"Completed": 1}


@pytest.mark.parametrize(
    "malformed",
    [
        {"inference_id": {"S": "a"}, "endpoint_name": {"S": "here"}},
        image("a", 7),
        image("a", event_time=7),
        image("a", event_time="soon"),
        image("a", received_at={"at": "noon"}, status="x" * 70_000),
    ],
    ids=["only keys", "numeric status", "numeric time", "invalid time", "long status"],
)
def test_a_malformed_record_does_not_affect_its_neighbours(handler, days, context, malformed):
    handler(event(record(1, image("b")), record(2, malformed), record(3, image("c"))), context)
    handler(event(record(4, image("a"), malformed)), context)
    assert days()[0]["counts"] == {"Completed": 3}


def test_a_throttled_batch_is_returned_and_counted_once(
    handler, days, context, monkeypatch, caplog
):
    add = SummaryStore.add
    batch = event(record(1, image("a")), record(2, image("b", endpoint_name="there")))

    def throttled(self, update):
        if update.endpoint_day.endpoint_name == "there":
            raise Unavailable("dynamodb", "ThrottlingException")
        return add(self, update)

    with monkeypatch.context() as patched:
        patched.setattr(SummaryStore, "add", throttled)
        with pytest.raises(Unavailable):
            handler(batch, context)
    assert [each.reason for each in caplog.records] == ["dynamodb: ThrottlingException"]
    handler(batch, context)
    assert days("here")[0]["counts"] == days("there")[0]["counts"] == {"Completed": 1}


def test_a_redriven_batch_counts_only_the_changes_that_were_not_counted(handler, days, context):
    first, second = record(1, image("a")), record(2, image("b"))
    handler(event(first), context)
    handler(event(record(3, image("c"))), context)
    redriven = event(first, second, shardId=f"{SHARD}-redriven-1", redrivenFrom=SHARD)
    for _ in range(2):
        assert handler(redriven, context) == {"state": {}}
    assert days()[0]["counts"] == {"Completed": 3}
