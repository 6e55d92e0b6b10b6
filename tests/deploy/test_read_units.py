"""What a list reads does not grow with what is recorded."""

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from inference_results.adapters.dynamodb import InferencesTable
from inference_results.adapters.queries import InferenceQueries
from inference_results.contract import StackOutput
from inference_results.domain.inference import Outcome
from inference_results.domain.listing import ListInferences
from inference_results.domain.timestamp import timestamp

SHARDS = 4
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def table_of_its_own(outputs):
    """As deployed, but empty: other tests would be slowed down by what this one writes."""
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


def write(table_name, endpoint_name, numbers):
    client = boto3.client("dynamodb")
    table = InferencesTable(client, table_name, SHARDS)

    def put(first):
        items = [table.item(outcome(endpoint_name, number)) for number in range(first, first + 25)]
        requests = [{"PutRequest": {"Item": item}} for item in items]
        answer = client.batch_write_item(RequestItems={table_name: requests})
        assert not answer["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, numbers[::25]))


def outcome(endpoint_name, number):
    time = timestamp(START + timedelta(seconds=number))
    return Outcome(
        inference_id=f"{endpoint_name}-{number:06}",
        endpoint_name=endpoint_name,
        status="Completed",
        event_time=time,
        event_order=time,
        recorded_at=time,
        expires_at=4_000_000_000,
    )


def read_units(table_name, endpoint_name):
    """Of a list of fifty: as reported, and as DynamoDB's rule has it for the items that were read.

    Reported are half a unit a query, whatever the items: the emulator does not look at their size.
    """
    client = boto3.client("dynamodb")
    reported, ruled = [], []

    def report(params, **_):
        params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed, **_):
        reported.append(parsed["ConsumedCapacity"]["CapacityUnits"])
        size = sum(
            len(name) + len(next(iter(value.values())))
            for item in parsed["Items"]
            for name, value in item.items()
        )
        ruled.append(math.ceil(size / 4096) / 2)

    client.meta.events.register("before-parameter-build.dynamodb.Query", report)
    client.meta.events.register("after-call.dynamodb.Query", note)
    with ThreadPoolExecutor(SHARDS) as pool:
        list_inferences = ListInferences(
            inferences=InferenceQueries(client, table_name, SHARDS, pool),
            now=lambda: datetime.now(UTC),
            cursor_key=b"key",
        )
        page = list_inferences(endpoint_name=endpoint_name, limit=50)
    assert len(page["inferences"]) == 50
    return sum(reported), sum(ruled)


def test_fifty_of_a_hundred_thousand_cost_what_fifty_of_a_thousand_cost(table_of_its_own):
    write(table_of_its_own, "shorter", range(1_000))
    write(table_of_its_own, "fuller1", range(100_000))  # names of one length: bytes are units
    few, many = (read_units(table_of_its_own, name) for name in ("shorter", "fuller1"))
    assert few == many
    assert few[0] == SHARDS / 2
