"""The table of the lists benchmark returns the same as moto, a far more complete DynamoDB."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from benchmarks.dynamodb_units import item_bytes
from benchmarks.in_memory_table import InMemoryTable
from benchmarks.lists import generate_records, new_client
from benchmarks.reviewed_template import indexes
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.contract import Attribute, Index
from local.environment import ROOT

SHARDS = 4
RECORDS = list(generate_records(60))
IDS = [inference_id for inference_id, _ in RECORDS]
KEYS = {
    Index.BY_ENDPOINT: "speech",
    Index.BY_STATUS: "Failed",
    Index.BY_ENDPOINT_AND_STATUS: "speech#Failed",
}


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture(scope="module")
def in_memory_table():
    table = InMemoryTable(indexes())
    for _, item in RECORDS:
        table.add(item)
    return table


@pytest.fixture(scope="module")
def queries(in_memory_table, pool):
    client = new_client()
    in_memory_table.intercept(client)
    return InferenceQueries(client, "inferences", SHARDS, pool)


@pytest.fixture
def moto_queries(aws, pool):
    template = yaml.safe_load((ROOT / "infra/templates/InferenceResults.yaml").read_text())
    (table,) = (
        each["Properties"]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::DynamoDB::GlobalTable" and "InferencesTable" in name
    )
    copied = ("AttributeDefinitions", "BillingMode", "KeySchema", "GlobalSecondaryIndexes")
    client = new_client()
    client.create_table(TableName="inferences", **{each: table[each] for each in copied})
    for _, item in RECORDS:
        client.put_item(TableName="inferences", Item=item)
    return InferenceQueries(client, "inferences", SHARDS, pool)


def test_queries_return_the_same_as_on_moto(queries, moto_queries, in_memory_table):
    for index, key in KEYS.items():
        actual, expected = (newest(each, index, key) for each in (queries, moto_queries))
        assert actual == expected
        assert len(actual) > 10
    for endpoint_name in (None, "speech", "another"):
        actual, expected = (
            each.find_many([*IDS[:4], "unknown"], endpoint_name) for each in (queries, moto_queries)
        )
        assert by_id(actual) == by_id(expected)
    assert queries.find(IDS[0], "speech") == moto_queries.find(IDS[0], "speech")
    assert in_memory_table.take_consumed().calls  # or moto was compared with itself


def newest(queries, index, key):
    return list(queries.newest(index, key, since=None, before=None, page_size=50))


def by_id(items):
    return sorted(items, key=lambda item: item[Attribute.INFERENCE_ID])


def test_reads_cost_half_a_unit_per_started_4_kb_and_twice_that_if_consistent(
    queries, in_memory_table
):
    sizes = {each: item_bytes(item) for each, item in RECORDS}
    in_memory_table.take_consumed()

    queries.find(IDS[1])
    assert 0 < sizes[IDS[1]] <= 4096
    assert in_memory_table.take_consumed().units == 1

    queries.find("unknown")
    assert in_memory_table.take_consumed().units == 1

    queries.find_many(IDS[:10], "speech")
    consumed = in_memory_table.take_consumed()
    assert (consumed.calls, consumed.units) == (1, 10)

    newest(queries, Index.BY_STATUS, "Failed")
    bytes_by_shard = Counter()
    for _, item in RECORDS:
        if Attribute.STATUS_SHARD in item:
            bytes_by_shard[item[Attribute.STATUS_SHARD]["S"]] += item_bytes(item)
    assert max(bytes_by_shard.values()) > 4096 > min(bytes_by_shard.values())
    units = sum(math.ceil(each / 4096) / 2 for each in bytes_by_shard.values())
    consumed = in_memory_table.take_consumed()
    assert (consumed.calls, consumed.units) == (SHARDS, units)
