"""Any order and any duplication of the same notifications leaves the same record."""

from itertools import permutations

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.adapters.table.results import ResultStore
from tests.support.effort import effort
from tests.support.fakes import World
from tests.support.samples import PREFIX, body, completed, failed

TIMES = ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.001Z"]


@st.composite
def notifications(draw):
    """Notifications of one inference, which can differ in only one field."""
    time = draw(st.sampled_from(TIMES))
    status = draw(st.sampled_from(["Completed", "Failed", "Expired", "Preempted"]))
    if status == "Completed":
        notification = completed(key=draw(st.sampled_from(["a.out", "b.out", "missing.out"])))
    else:
        notification = failed(failureReason=draw(st.sampled_from([None, "one", "two"])))
    notification["requestParameters"] = {"endpointName": "here"}
    if draw(st.booleans()):
        notification["requestParameters"]["customAttributes"] = draw(st.sampled_from(["x", "y"]))
    return body(notification | {"invocationStatus": status, "eventTime": time})


@pytest.fixture
def process_all(table_name):
    """Process notifications in order, without an existing record. Returns the item they leave."""
    client = boto3.client("dynamodb")
    key = {"inference_id": {"S": "inference-1"}, "endpoint_name": {"S": "here"}}

    def process(bodies):
        client.delete_item(TableName=table_name, Key=key)
        world = World(records=ResultStore(client, table_name, shards=4))
        world.objects.stored = {PREFIX + "a.out": b"a", PREFIX + "b.out": b"b" * 2000}
        for each in bodies:
            world.process(each, receive_count=3)
        return client.get_item(TableName=table_name, Key=key)["Item"]

    return process


@effort(short=30, long=300)
@given(data=st.data(), several=st.lists(notifications(), min_size=1, max_size=5))
def test_any_order_and_duplication_leaves_the_same_record(process_all, data, several):
    shuffled = data.draw(st.permutations(several * 2))
    assert process_all(shuffled) == process_all(several)


def test_all_orders_of_four_notifications_leave_the_same_record(process_all):
    here = {"endpointName": "here"}
    four = [
        body(completed(key="a.out", eventTime=TIMES[0], requestParameters=here)),
        body(completed(key="b.out", eventTime=TIMES[1], requestParameters=here)),
        body(failed(eventTime=TIMES[1], requestParameters=here)),
        body(failed(eventTime=TIMES[1], failureReason="other", requestParameters=here)),
    ]
    first = process_all(four)
    assert first["output"]["M"]["key"]["S"] == "async/b.out"
    assert all(process_all(order) == first for order in permutations(four))
