"""How far a forged notification reaches, in the words of one that is taken for SageMaker's."""

import base64
from datetime import timedelta

import boto3
import pytest

from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Attribute
from inference_results.domain.results.ports import Disposition
from tests.fakes import World
from tests.samples import PREFIX, body, completed, failed

TRUE = completed(eventTime="2026-01-25T12:00:00.000Z")
AHEAD = failed(eventTime="2999-01-01T00:00:00.000Z", requestParameters=TRUE["requestParameters"])


@pytest.fixture
def world(table_name):
    world = World(records=ResultStore(boto3.client("dynamodb"), table_name, shards=4))
    world.objects.stored[PREFIX + "one.out"] = b"true"
    return world


@pytest.fixture
def items(table_name):
    return lambda: boto3.client("dynamodb").scan(TableName=table_name)["Items"]


def status(item):
    return item[Attribute.STATUS]["S"]


def test_a_time_far_ahead_stands_until_the_record_is_deleted(world, items, table_name):
    assert world.settle(body(AHEAD)) is Disposition.RECORDED
    assert world.settle(body(TRUE)) is Disposition.SUPERSEDED
    (forged,) = items()
    assert status(forged) == "Failed"
    key = {name: forged[name] for name in (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME)}
    boto3.client("dynamodb").delete_item(TableName=table_name, Key=key)
    assert world.settle(body(TRUE)) is Disposition.RECORDED
    assert [status(each) for each in items()] == ["Completed"]


def test_only_the_record_of_that_id_on_that_endpoint_is_reached(world, items):
    world.settle(body(TRUE))
    world.settle(body(TRUE | {"inferenceId": "neighbour"}))
    elsewhere = {**AHEAD, "requestParameters": {"endpointName": "elsewhere"}}
    world.settle(body(elsewhere))
    assert sorted(map(status, items())) == ["Completed", "Completed", "Failed"]


def test_a_time_far_ahead_prolongs_no_retention(world, items):
    world.settle(body(TRUE))
    (true,) = items()
    world.settle(body(AHEAD))
    (forged,) = items()
    assert forged[Attribute.EXPIRES_AT] == true[Attribute.EXPIRES_AT]


def test_each_newer_event_prolongs_the_retention_to_its_own(world, items):
    world.settle(body(TRUE))
    (true,) = items()
    world.now += timedelta(days=89)
    world.settle(body(AHEAD))
    (forged,) = items()
    days = (int(forged[Attribute.EXPIRES_AT]["N"]) - int(true[Attribute.EXPIRES_AT]["N"])) / 86_400
    assert days == 89


def test_an_output_in_the_notification_is_believed_without_a_look_at_s3(world, items):
    content = base64.b64encode(b"forged").decode()
    world.settle(body(TRUE | {"responseBody": {"content": content, "encoding": "BASE64"}}))
    (item,) = items()
    assert item[Attribute.OUTPUT]["M"]["inline"] == {"B": b"forged"}
    assert world.objects.asked == []
