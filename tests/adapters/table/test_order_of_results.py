"""Any order and any duplication of the same events leaves the same record."""

from itertools import permutations

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_results.adapters.table.results import ResultStore
from tests.fakes import World
from tests.samples import PREFIX, body, completed, failed

TIMES = ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.001Z"]


@st.composite
def events(draw):
    """Events about one inference that differ in as little as one field."""
    time = draw(st.sampled_from(TIMES))
    status = draw(st.sampled_from(["Completed", "Failed", "Expired", "Preempted"]))
    if status == "Completed":
        event = completed(key=draw(st.sampled_from(["a.out", "b.out", "missing.out"])))
    else:
        event = failed(failureReason=draw(st.sampled_from([None, "one", "two"])))
    event["requestParameters"] = {"endpointName": "here"}
    if draw(st.booleans()):
        event["requestParameters"]["customAttributes"] = draw(st.sampled_from(["x", "y"]))
    return body(event | {"invocationStatus": status, "eventTime": time})


@pytest.fixture
def settle_all(table_name):
    """Settles events in order from an empty table; answers with the item they leave."""
    client = boto3.client("dynamodb")
    key = {"inference_id": {"S": "inference-1"}, "endpoint_name": {"S": "here"}}

    def settle(bodies):
        client.delete_item(TableName=table_name, Key=key)
        world = World(records=ResultStore(client, table_name, shards=4))
        world.objects.stored = {PREFIX + "a.out": b"a", PREFIX + "b.out": b"b" * 2000}
        for each in bodies:
            world.settle(each, receive_count=3)
        return client.get_item(TableName=table_name, Key=key)["Item"]

    return settle


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), several=st.lists(events(), min_size=1, max_size=5))
def test_any_order_and_duplication_leaves_the_same_record(settle_all, data, several):
    shuffled = data.draw(st.permutations(several * 2))
    assert settle_all(shuffled) == settle_all(several)


def test_all_orders_of_four_events_leave_the_same_record(settle_all):
    here = {"endpointName": "here"}
    four = [
        body(completed(key="a.out", eventTime=TIMES[0], requestParameters=here)),
        body(completed(key="b.out", eventTime=TIMES[1], requestParameters=here)),
        body(failed(eventTime=TIMES[1], requestParameters=here)),
        body(failed(eventTime=TIMES[1], failureReason="other", requestParameters=here)),
    ]
    first = settle_all(four)
    assert first["output"]["M"]["key"]["S"] == "async/b.out"
    assert all(settle_all(order) == first for order in permutations(four))
