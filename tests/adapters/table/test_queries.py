import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Attribute, Index
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.result import Result

SHARDS = 4


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def queries(table_name, pool):
    return InferenceQueries(boto3.client("dynamodb"), table_name, SHARDS, pool)


@pytest.fixture
def record(table_name):
    table = ResultStore(boto3.client("dynamodb"), table_name, SHARDS)

    def record(inference_id="one", endpoint_name="here", status="Completed", second=0):
        time = f"2026-01-01T12:{second // 60:02}:{second % 60:02}.000Z"
        table.record(
            Result(
                inference_id=inference_id,
                endpoint_name=endpoint_name,
                status=status,
                event_time=time,
                event_order=time,
                recorded_at=time,
                expires_at=4_000_000_000,
            )
        )

    return record


def newest(queries, index=Index.BY_ENDPOINT, key="here", since=None, before=None, page_size=50):
    return queries.newest(index, key, since=since, before=before, page_size=page_size)


def ids(items):
    return [item[Attribute.INFERENCE_ID] for item in items]


def test_the_same_id_on_two_endpoints_is_two_records(queries, record):
    record()
    record(endpoint_name="there")
    assert [item["endpoint_name"] for item in queries.find("one")] == ["here", "there"]
    assert [item["endpoint_name"] for item in queries.find("one", "there")] == ["there"]


def test_an_unknown_id_finds_nothing(queries):
    assert queries.find("unknown") == []
    assert queries.find_many(["unknown", "too"]) == []
    assert queries.find_many(["unknown", "too"], "here") == []


@pytest.mark.parametrize("endpoint_name", [None, "here"])
def test_a_hundred_ids_are_found(queries, record, endpoint_name):
    inference_ids = [f"id-{number}" for number in range(100)]
    for each in inference_ids:
        record(each)
    assert sorted(ids(queries.find_many(inference_ids, endpoint_name))) == sorted(inference_ids)


def test_ids_are_found_on_every_endpoint_unless_one_is_named(queries, record):
    record()
    record(endpoint_name="there")
    assert len(queries.find_many(["one"])) == 2
    assert len(queries.find_many(["one"], "there")) == 1


def test_an_endpoint_is_listed_newest_first_across_all_shards(queries, record):
    for number in range(60):
        record(f"id-{number}", second=number * 7 % 60)
    record("elsewhere", "there")
    listed = list(newest(queries))
    assert len(listed) == 60
    assert listed == sorted(listed, key=lambda item: item["endpoint_sort"], reverse=True)


@pytest.mark.parametrize("page_size", [1, 3, 200])
def test_the_page_size_does_not_change_the_list(queries, record, page_size):
    for number in range(60):
        record(f"id-{number}", second=number)
    expected = [f"id-{number}" for number in reversed(range(60))]
    assert ids(newest(queries, page_size=page_size)) == expected


def test_a_list_reads_one_page_per_shard(queries, record):
    for number in range(200):
        record(f"id-{number}", second=number)
    client = queries._client
    counts = []
    client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: counts.append(parsed["Count"])
    )
    assert len(list(islice(newest(queries, page_size=20), 20))) == 20
    assert len(counts) == SHARDS
    assert sum(counts) == SHARDS * 20


def test_since_is_inclusive_and_before_exclusive(queries, record):
    for number in range(10):
        record(f"id-{number}", second=number)
    since, before = "2026-01-01T12:00:03.000Z", "2026-01-01T12:00:06.000Z"
    assert ids(newest(queries, since=since, before=before)) == ["id-5", "id-4", "id-3"]
    assert ids(newest(queries, since="2026-01-01T12:00:08.000Z")) == ["id-9", "id-8"]
    assert ids(newest(queries, before="2026-01-01T12:00:02.000Z")) == ["id-1", "id-0"]


@pytest.mark.parametrize("since", [None, "2026-01-01T12:00:00.000Z"])
def test_a_list_continues_after_the_sort_key_of_a_record(queries, record, since):
    for number in range(10):
        record(f"id-{number}", second=3)
    first = list(islice(newest(queries), 4))
    rest = newest(queries, since=since, before=first[-1]["endpoint_sort"])
    assert sorted(ids(first) + ids(rest)) == [f"id-{number}" for number in range(10)]


def test_a_status_is_listed_across_all_endpoints(queries, record):
    record("a", "here", "Failed", 1)
    record("a", "there", "Failed", 1)
    record("b", "here", "Completed", 2)
    listed = list(newest(queries, Index.BY_STATUS, "Failed"))
    assert [item["endpoint_name"] for item in listed] == ["there", "here"]


def test_throttling_of_a_shard_is_unavailable(aws, pool):
    client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    with Stubber(client) as stub:
        stub.add_client_error("query", "ThrottlingException", http_status_code=400)
        with pytest.raises(Unavailable, match="ThrottlingException"):
            list(newest(InferenceQueries(client, "inferences", 1, pool)))


def key(inference_id):
    return {"inference_id": {"S": inference_id}, "endpoint_name": {"S": "here"}}


def unprocessed(*ids):
    return {"inferences": {"Keys": [key(each) for each in ids]}} if ids else {}


def test_unprocessed_keys_are_retried(aws, pool):
    client = boto3.client("dynamodb")
    with Stubber(client) as stub:
        for item, rest in (("one", ["two"]), ("two", [])):
            response = {
                "Responses": {"inferences": [key(item)]},
                "UnprocessedKeys": unprocessed(*rest),
            }
            stub.add_response("batch_get_item", response)
        queries = InferenceQueries(client, "inferences", 4, pool)
        assert ids(queries.find_many(["one", "two"], "here")) == ["one", "two"]
        stub.assert_no_pending_responses()


def test_unprocessed_keys_are_unavailable_after_the_time_limit(aws, pool, monkeypatch):
    monkeypatch.setattr("inference_results.adapters.table.queries._TIME_LIMIT_SECONDS", 0.2)
    client = boto3.client("dynamodb")
    nothing = {"Responses": {"inferences": []}, "UnprocessedKeys": unprocessed("one")}
    with Stubber(client) as stub:
        for _ in range(20):
            stub.add_response("batch_get_item", nothing)
        with pytest.raises(Unavailable, match="SlowResponses"):
            InferenceQueries(client, "inferences", 4, pool).find_many(["one"], "here")
        with pytest.raises(AssertionError):  # backoff between the calls: some responses are unused
            stub.assert_no_pending_responses()


class Throttled:
    """Throttles every third query."""

    def __init__(self):
        self.queries = itertools.count(1)

    def query(self, ExpressionAttributeValues, **_):
        if next(self.queries) % 3 == 0:
            raise Unavailable("dynamodb", "ThrottlingException")
        return {"Items": [{"inference_id": ExpressionAttributeValues[":id"]}]}


def test_throttled_ids_are_retried(pool):
    inference_ids = [str(number) for number in range(100)]
    found = InferenceQueries(Throttled(), "inferences", 4, pool).find_many(inference_ids)
    assert sorted(ids(found)) == sorted(inference_ids)


class Slow:
    """Responds slowly, and always has another page."""

    def query(self, **_):
        time.sleep(0.1)
        return {"Items": [], "LastEvaluatedKey": {"inference_id": {"S": "one"}}}


@pytest.mark.parametrize(
    "find",
    [
        lambda queries: queries.find_many([str(number) for number in range(100)]),
        lambda queries: list(newest(queries)),
    ],
    ids=["a batch", "a list"],
)
def test_slow_responses_are_unavailable_after_the_time_limit(monkeypatch, find):
    monkeypatch.setattr("inference_results.adapters.table.queries._TIME_LIMIT_SECONDS", 0.3)
    with ThreadPoolExecutor(2) as pool, pytest.raises(Unavailable, match="SlowResponses"):
        find(InferenceQueries(Slow(), "inferences", 4, pool))


def test_listing_a_status_of_an_endpoint_reads_no_other_records(queries, record):
    for number in range(30):
        record(f"other-{number}", "there", "Failed", number)
    record("mine", "here", "Failed")
    record("done", "here", "Completed")
    counts = []
    queries._client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: counts.append(parsed["ScannedCount"])
    )
    assert ids(newest(queries, Index.BY_ENDPOINT_AND_STATUS, "here#Failed")) == ["mine"]
    assert sum(counts) == 1
