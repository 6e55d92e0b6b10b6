from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.order import event_order
from inference_results.domain.record.result import Failure, Output, OutputError, Result
from inference_results.domain.results.ports import Disposition


@pytest.fixture
def table(table_name):
    return ResultStore(boto3.client("dynamodb"), table_name, shards=4)


@pytest.fixture
def find(table_name):
    with ThreadPoolExecutor(1) as pool:
        yield InferenceQueries(boto3.client("dynamodb"), table_name, 4, pool).find


@pytest.fixture
def stored(table_name):
    """Read the only item, not converted."""

    def only_item():
        (item,) = boto3.client("dynamodb").scan(TableName=table_name)["Items"]
        return item

    return only_item


OUTPUT = Output(location="s3://bucket/key", bucket="bucket", key="key", inline=b"\xff")
NOON = "2026-01-01T12:00:00.000Z"
LATER = "2026-01-01T12:00:00.001Z"


def completed(event_time=NOON, digest="a", **changes):
    order = event_order(
        event_time=event_time, status="Completed", location="s3://bucket/key", digest=digest
    )
    values = {
        "inference_id": "one",
        "endpoint_name": "here",
        "status": "Completed",
        "event_time": event_time,
        "event_order": order,
        "recorded_at": "2026-01-01T12:00:01.000Z",
        "expires_at": 2_000_000_000,
        "output": OUTPUT,
    }
    return Result(**{**values, **changes})


def failed(event_time=NOON):
    order = event_order(event_time=event_time, status="Failed", location=None, digest="b")
    return completed(
        status="Failed",
        event_time=event_time,
        event_order=order,
        output=None,
        failure=Failure(code="UNKNOWN", retryable=False),
    )


def test_a_recorded_result_is_found_by_its_id(table, find):
    assert table.record(completed()) is Disposition.RECORDED
    (found,) = find("one")
    assert found["status"] == "Completed"
    assert found["expires_at"] == 2_000_000_000
    assert found["output"] == {
        "location": "s3://bucket/key",
        "bucket": "bucket",
        "key": "key",
        "inline": b"\xff",
    }


def test_missing_attributes_are_not_stored(table, stored):
    table.record(completed())
    assert "failure" not in stored()
    assert "version_id" not in stored()["output"]["M"]


def test_the_same_result_again_is_a_duplicate_and_changes_nothing(table, stored):
    table.record(completed())
    before = stored()
    again = replace(completed(), recorded_at="2026-02-02T00:00:00.000Z")
    assert table.record(again) is Disposition.DUPLICATE
    assert stored() == before


def test_a_write_whose_response_was_lost_is_a_duplicate(table_name, stored):
    """botocore's retry finds the item that its first attempt wrote."""
    client = boto3.client("dynamodb")
    client.meta.events.register(
        "needs-retry.dynamodb.UpdateItem", lambda attempts, **_: 0 if attempts == 1 else None
    )
    retrying = ResultStore(client, table_name, shards=4)
    assert retrying.record(completed()) is Disposition.DUPLICATE
    assert stored() == retrying.item(completed())


def test_a_newer_result_replaces_every_attribute_of_the_older_one(table, stored):
    table.record(completed(custom_attributes="tenant=acme", received_at=NOON))
    assert table.record(failed(LATER)) is Disposition.RECORDED
    item = stored()
    assert item["status"] == {"S": "Failed"}
    assert item["failure"]["M"]["code"] == {"S": "UNKNOWN"}
    assert not item.keys() & {"output", "custom_attributes", "received_at"}


def test_an_older_result_is_superseded_and_changes_nothing(table, stored):
    table.record(failed(LATER))
    before = stored()
    assert table.record(completed()) is Disposition.SUPERSEDED
    assert stored() == before


UNREADABLE = {
    "output": Output(location="s3://bucket/key", bucket="bucket", key="key"),
    "output_error": OutputError("AccessDenied", "S3 did not return the object"),
}


def test_the_same_result_again_adds_an_unread_output(table, stored):
    table.record(completed(**UNREADABLE))
    assert table.record(completed()) is Disposition.RECORDED
    assert stored()["output"]["M"]["inline"] == {"B": b"\xff"}
    assert "output_error" not in stored()


@pytest.mark.parametrize("first", [{}, UNREADABLE], ids=["read", "unread"])
def test_the_same_result_without_its_output_changes_nothing(table, stored, first):
    table.record(completed(**first))
    before = stored()
    assert table.record(completed(**UNREADABLE)) is Disposition.DUPLICATE
    assert stored() == before


def test_a_result_with_the_latest_possible_time_is_recorded(table):
    assert table.record(failed("9999-12-31T23:59:59.999Z")) is Disposition.RECORDED


def test_a_completion_wins_over_a_failure_at_the_same_time(table, stored):
    table.record(failed())
    assert table.record(completed()) is Disposition.RECORDED
    assert table.record(failed()) is Disposition.SUPERSEDED
    assert stored()["status"] == {"S": "Completed"}


def test_a_result_keeps_the_attributes_of_the_submission(table, table_name, stored, find):
    submission = {"failure_location": {"S": "s3://bucket/promised"}}
    boto3.client("dynamodb").put_item(
        TableName=table_name,
        Item={
            "inference_id": {"S": "one"},
            "endpoint_name": {"S": "here"},
            "status": {"S": "InProgress"},
            "submitted_at": {"S": NOON},
            "caller_metadata": {"M": {"page": {"N": "17"}}},
            "submission": {"M": submission},
        },
    )
    assert table.record(failed()) is Disposition.RECORDED
    assert stored()["submitted_at"] == {"S": NOON}
    assert stored()["submission"] == {"M": submission}
    assert find("one")[0]["caller_metadata"] == {"page": 17}


def test_the_promised_failure_location_is_found(table, table_name):
    boto3.client("dynamodb").put_item(
        TableName=table_name,
        Item={
            "inference_id": {"S": "one"},
            "endpoint_name": {"S": "here"},
            "submission": {"M": {"failure_location": {"S": "s3://bucket/promised"}}},
        },
    )
    assert table.promised_failure_location("one", "here", NOON) == "s3://bucket/promised"


def test_without_a_submission_no_failure_location_is_promised(table):
    assert table.promised_failure_location("one", "here", NOON) is None
    table.record(failed())
    assert table.promised_failure_location("one", "here", NOON) is None


def in_index(table_name, index, key, shards=4):
    """The ids below a key, in all shards."""
    attribute = {"by-endpoint": "endpoint_shard", "by-status": "status_shard"}[index]
    client = boto3.client("dynamodb")
    return [
        item["inference_id"]["S"]
        for shard in range(shards)
        for item in client.query(
            TableName=table_name,
            IndexName=index,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": attribute},
            ExpressionAttributeValues={":key": {"S": f"{shard}#{key}"}},
        )["Items"]
    ]


def test_every_record_is_listed_under_its_endpoint(table, table_name):
    ids = {f"id-{number}" for number in range(20)}
    for each in ids:
        table.record(replace(completed(), inference_id=each))
    listed = in_index(table_name, "by-endpoint", "here")
    assert len(listed) == 20
    assert set(listed) == ids


def test_ids_are_spread_over_all_shards(table, find):
    shards = set()
    for number in range(50):
        table.record(replace(completed(), inference_id=f"id-{number}"))
        (item,) = find(f"id-{number}")
        shards.add(item["endpoint_shard"])
    assert shards == {f"{shard}#here" for shard in range(4)}


def test_completed_records_are_not_in_the_status_index(table, table_name):
    table.record(failed())
    assert in_index(table_name, "by-status", "Failed") == ["one"]
    table.record(completed(LATER))
    assert in_index(table_name, "by-status", "Failed") == []
    assert in_index(table_name, "by-status", "Completed") == []


@pytest.mark.parametrize(
    ("code", "http_status"),
    [
        ("ProvisionedThroughputExceededException", 400),
        ("ThrottlingException", 400),
        ("InternalServerError", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_throttling_and_server_errors_are_unavailable(code, http_status, aws):
    client = boto3.client("dynamodb", config=without_retries())
    with Stubber(client) as stub:
        stub.add_client_error("update_item", code, http_status_code=http_status)
        with pytest.raises(Unavailable, match=f"dynamodb: {code}"):
            ResultStore(client, "inferences", 4).record(completed())


def test_other_dynamodb_errors_are_raised_unchanged(aws):
    client = boto3.client("dynamodb", config=without_retries())
    with Stubber(client) as stub:
        stub.add_client_error("update_item", "AccessDeniedException", http_status_code=400)
        with pytest.raises(ClientError, match="AccessDenied"):
            ResultStore(client, "inferences", 4).record(completed())


def without_retries():
    return Config(retries={"total_max_attempts": 1})
