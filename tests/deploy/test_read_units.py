"""The cost of a list does not depend on the number of records."""

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.contract import StackOutput
from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.record.result import Result
from inference_results.domain.record.timestamps import timestamp
from tests.support.effort import LONG

SHARDS = 4
MANY = 100_000 if LONG else 10_000
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def empty_table(outputs):
    """An empty copy of the deployed table, because many records would slow down other tests."""
    client = boto3.client("dynamodb")
    deployed = client.describe_table(TableName=outputs[StackOutput.TABLE_NAME])["Table"]
    definition = {name: deployed[name] for name in ("AttributeDefinitions", "KeySchema")}
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in deployed["GlobalSecondaryIndexes"]
    ]
    client.create_table(
        TableName="many",
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=indexes,
        **definition,
    )
    yield "many"
    client.delete_table(TableName="many")


def write(table_name, endpoint_name, numbers, status):
    client = boto3.client("dynamodb")
    table = ResultStore(client, table_name, SHARDS)

    def put(first):
        items = [
            table.item(result(endpoint_name, number, status)) for number in range(first, first + 25)
        ]
        requests = [{"PutRequest": {"Item": item}} for item in items]
        response = client.batch_write_item(RequestItems={table_name: requests})
        assert not response["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, numbers[::25]))


def result(endpoint_name, number, status):
    time = timestamp(START + timedelta(seconds=number))
    return Result(
        inference_id=f"{endpoint_name}-{number:06}",
        endpoint_name=endpoint_name,
        status=status,
        event_time=time,
        event_order=time,
        recorded_at=time,
        expires_at=4_000_000_000,
    )


def cost(table_name, **filters):
    """Return the number of queries of a list of fifty, and their read units by DynamoDB's rule.

    The emulator reports half a unit for each query, regardless of its size.
    """
    client = boto3.client("dynamodb")
    reported, units = [], []

    def request_report(params, **_):
        params["ReturnConsumedCapacity"] = "TOTAL"

    def add_units(parsed, **_):
        reported.append(parsed["ConsumedCapacity"]["CapacityUnits"])
        size = sum(
            len(name) + len(next(iter(value.values())))
            for item in parsed["Items"]
            for name, value in item.items()
        )
        units.append(math.ceil(size / 4096) / 2)

    client.meta.events.register("before-parameter-build.dynamodb.Query", request_report)
    client.meta.events.register("after-call.dynamodb.Query", add_units)
    with ThreadPoolExecutor(SHARDS) as pool:
        list_inferences = ListInferences(
            inferences=InferenceQueries(client, table_name, SHARDS, pool),
            now=lambda: datetime.now(UTC),
            cursor_key=b"key",
        )
        page = list_inferences(limit=50, **filters)
    assert len(page["inferences"]) == 50
    assert sum(reported) == len(reported) / 2
    return len(reported), sum(units)


def test_a_page_of_fifty_costs_the_same_in_a_large_table(empty_table):
    names = ("shorter", "fuller1")  # equal lengths, because bytes count
    for name, count in zip(names, (1_000, MANY), strict=True):
        write(empty_table, name, range(count), "Completed")
        write(empty_table, name, range(count, count + 400), "Failed")
    by_endpoint = [cost(empty_table, endpoint_name=name) for name in names]
    assert by_endpoint == [(SHARDS, 4.0)] * 2
    of_status = [cost(empty_table, endpoint_name=name, status="Failed") for name in names]
    assert of_status == [(SHARDS, 6.0)] * 2
