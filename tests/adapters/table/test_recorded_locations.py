import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from inference_results.adapters.table.recorded_locations import RecordedLocations
from inference_results.adapters.table.results import ResultStore
from inference_results.domain.reconciliation.retry import MAX_ATTEMPTS, RetryUnavailable
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.order import unnotified_order
from inference_results.domain.record.result import Failure, Output, OutputError, Result, Source
from inference_results.domain.results.ports import Disposition

NOON = "2026-01-01T12:00:00.000Z"


@pytest.fixture
def dynamodb(table_name):
    return boto3.client("dynamodb")


@pytest.fixture
def put(dynamodb, table_name):
    """Write an item without the service."""

    def put(inference_id="one", **attributes):
        key = {"inference_id": {"S": inference_id}, "endpoint_name": {"S": "speech"}}
        dynamodb.put_item(TableName=table_name, Item=key | attributes)

    return put


def locations(client, table_name, delays=None):
    retry = RetryUnavailable(sleep=[].append if delays is None else delays.append)
    return RecordedLocations(client, table_name, retry)


def result(inference_id="one", **changes):
    order = unnotified_order(event_time=NOON, status="Completed", location=inference_id)
    values = {
        "inference_id": inference_id,
        "endpoint_name": "speech",
        "status": "Completed",
        "event_time": NOON,
        "event_order": order,
        "recorded_at": NOON,
        "expires_at": 2_000_000_000,
    }
    return Result(**values | changes)


@pytest.mark.parametrize(
    "attributes",
    [
        {"output": Output(location="s3://bucket/a b#1%", inline=b"here")},
        {"output_error": OutputError("LocationNotAllowed", "another bucket", "s3://bucket/a b#1%")},
        {"failure": Failure(code="UNKNOWN", retryable=False, location="s3://bucket/a b#1%")},
    ],
)
def test_the_location_of_a_result_is_read(dynamodb, table_name, attributes):
    ResultStore(dynamodb, table_name, shards=4).record(result(**attributes))
    assert list(locations(dynamodb, table_name)) == ["s3://bucket/a b#1%"]


def test_promised_locations_are_read_before_there_is_a_result(dynamodb, table_name, put):
    promised = {
        "output_location": {"S": "s3://bucket/out"},
        "failure_location": {"S": "s3://bucket/failure"},
    }
    put(submission={"M": promised})
    assert set(locations(dynamodb, table_name)) == {"s3://bucket/out", "s3://bucket/failure"}


def test_items_without_locations_and_malformed_items_are_skipped(dynamodb, table_name, put):
    put("one")
    put("two", output={"S": "s3://bucket/key"})
    put("three", output={"M": {"location": {"N": "1"}}})
    assert list(locations(dynamodb, table_name)) == []


def test_every_page_is_read(dynamodb, table_name):
    table = ResultStore(dynamodb, table_name, shards=4)
    written = {f"s3://bucket/{number}" for number in range(60)}
    for each in written:
        # 1.8 MB in all: more than a page of 1 MB.
        content = b"x" * 30_000
        table.record(result(each, output=Output(location=each, inline=content)))
    pages = []
    dynamodb.meta.events.register("after-call.dynamodb.Scan", lambda **_: pages.append(1))
    assert set(locations(dynamodb, table_name)) == written
    assert len(pages) > 1


def page(*texts, key=None):
    items = [{"output": {"M": {"location": {"S": each}}}} for each in texts]
    return {"Items": items} | ({"LastEvaluatedKey": {"inference_id": {"S": key}}} if key else {})


@pytest.fixture
def client_without_retries(aws):
    return boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))


def test_a_throttled_page_is_retried_and_no_page_is_read_twice(client_without_retries):
    delays = []
    with Stubber(client_without_retries) as stub:
        stub.add_response("scan", page("s3://bucket/a", key="a"))
        for _ in range(MAX_ATTEMPTS - 1):
            stub.add_client_error("scan", "ProvisionedThroughputExceededException")
        stub.add_response("scan", page("s3://bucket/b"))
        found = list(locations(client_without_retries, "inferences", delays))
    assert found == ["s3://bucket/a", "s3://bucket/b"]
    assert len(delays) == MAX_ATTEMPTS - 1


def test_the_scan_is_consistent(client_without_retries):
    requests = []
    client_without_retries.meta.events.register(
        "before-parameter-build.dynamodb.Scan", lambda params, **_: requests.append(params)
    )
    with Stubber(client_without_retries) as stub:
        stub.add_response("scan", page())
        list(locations(client_without_retries, "inferences"))
    assert requests[0]["ConsistentRead"] is True


def test_unavailable_is_raised_after_the_last_retry(client_without_retries):
    with Stubber(client_without_retries) as stub:
        for _ in range(MAX_ATTEMPTS):
            stub.add_client_error("scan", "ThrottlingException")
        with pytest.raises(Unavailable):
            list(locations(client_without_retries, "inferences"))


def test_a_permanent_error_is_raised_without_a_retry(dynamodb, table_name):
    delays = []
    with pytest.raises(ClientError, match="ResourceNotFound"):
        list(locations(dynamodb, "none", delays))
    assert delays == []


def test_the_source_of_a_result_is_stored_as_text(dynamodb, table_name):
    table = ResultStore(dynamodb, table_name, shards=4)
    assert table.record(result(source=Source.BACKFILL)) is Disposition.RECORDED
    (item,) = dynamodb.scan(TableName=table_name)["Items"]
    assert item["source"] == {"S": "backfill"}


def test_a_backfilled_result_is_replaced_by_a_notified_one(dynamodb, table_name):
    table = ResultStore(dynamodb, table_name, shards=4)
    notified = result(event_order="2001-01-01T00:00:00.000Z\n4\n\n")
    table.record(result(source=Source.BACKFILL))
    assert table.record(notified) is Disposition.RECORDED
    assert table.record(result(source=Source.BACKFILL)) is Disposition.SUPERSEDED
    (item,) = dynamodb.scan(TableName=table_name)["Items"]
    assert "source" not in item
