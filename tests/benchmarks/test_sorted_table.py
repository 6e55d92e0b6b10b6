"""The table that lists are measured on answers as moto does, which knows far more of DynamoDB."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest
import yaml

from benchmarks.dynamodb_units import item_bytes
from benchmarks.lists import new_client, records_of
from benchmarks.reviewed_template import indexes
from benchmarks.sorted_table import SortedTable
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.results import KEY
from inference_results.contract import Attribute, Index
from local.environment import ROOT

SHARDS = 4
RECORDS = list(records_of(60))
IDS = [inference_id for inference_id, _ in RECORDS]
OF_INDEX = {
    Index.BY_ENDPOINT: "speech",
    Index.BY_STATUS: "Failed",
    Index.BY_ENDPOINT_AND_STATUS: "speech#Failed",
}


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture(scope="module")
def sorted_table():
    table = SortedTable(KEY, indexes())
    for _, item in RECORDS:
        table.add(item)
    return table


@pytest.fixture(scope="module")
def queries(sorted_table, pool):
    client = new_client()
    sorted_table.behind(client)
    return InferenceQueries(client, "inferences", SHARDS, pool)


@pytest.fixture
def moto_queries(aws, pool):
    template = yaml.safe_load((ROOT / "infra/templates/InferenceResults.yaml").read_text())
    (table,) = (
        each["Properties"]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::DynamoDB::GlobalTable" and "InferencesTable" in name
    )
    described = ("AttributeDefinitions", "BillingMode", "KeySchema", "GlobalSecondaryIndexes")
    client = new_client()
    client.create_table(TableName="inferences", **{each: table[each] for each in described})
    for _, item in RECORDS:
        client.put_item(TableName="inferences", Item=item)
    return InferenceQueries(client, "inferences", SHARDS, pool)


def test_it_finds_what_moto_finds(queries, moto_queries, sorted_table):
    since, before = "2026-01-01T00:00:10", "2026-01-01T00:00:35"
    ranges = [(None, None), (since, None), (None, before), (since, before)]
    for (since, before), (index, of) in zip(ranges, cycle(OF_INDEX.items()), strict=False):
        found, expected = (
            # So small pages that a shard has several.
            list(each.newest(index, of, since=since, before=before, page_size=3))
            for each in (queries, moto_queries)
        )
        assert found == expected
        assert found
    for endpoint_name in (None, "speech", "another"):
        found, expected = (
            each.find_many([*IDS[:4], "unknown"], endpoint_name) for each in (queries, moto_queries)
        )
        assert by_id(found) == by_id(expected)
    assert queries.find(IDS[0], "speech") == moto_queries.find(IDS[0], "speech")
    assert sorted_table.taken().calls  # else moto was compared with itself


def by_id(items):
    return sorted(items, key=lambda item: item[Attribute.INFERENCE_ID])


def test_a_page_costs_half_a_unit_for_each_4_kb_begun_and_a_consistent_read_twice_that(
    queries, sorted_table
):
    sizes = {each: item_bytes(item) for each, item in RECORDS}
    sorted_table.taken()

    queries.find(IDS[1])
    assert 0 < sizes[IDS[1]] <= 4096
    assert sorted_table.taken().units == 1

    queries.find("unknown")
    assert sorted_table.taken().units == 1

    queries.find_many(IDS[:10], "speech")
    spent = sorted_table.taken()
    assert (spent.calls, spent.units) == (1, 10)

    list(queries.newest(Index.BY_STATUS, "Failed", since=None, before=None, page_size=50))
    bytes_of_shards = Counter()
    for _, item in RECORDS:
        if Attribute.STATUS_SHARD in item:
            bytes_of_shards[item[Attribute.STATUS_SHARD]["S"]] += item_bytes(item)
    assert max(bytes_of_shards.values()) > 4096 > min(bytes_of_shards.values())
    units = sum(math.ceil(each / 4096) / 2 for each in bytes_of_shards.values())
    spent = sorted_table.taken()
    assert (spent.calls, spent.units) == (SHARDS, units)
