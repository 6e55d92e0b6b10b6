"""What a forged notification can change. See docs/security.md."""

import base64
from datetime import timedelta

import boto3
import pytest

from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Attribute
from inference_results.domain.results.ports import Disposition
from tests.support.fakes import World
from tests.support.samples import PREFIX, body, completed, failed

REAL = completed(eventTime="2026-01-25T12:00:00.000Z")
FORGED = failed(eventTime="2999-01-01T00:00:00.000Z", requestParameters=REAL["requestParameters"])


@pytest.fixture
def world(table_name):
    world = World(records=ResultStore(boto3.client("dynamodb"), table_name, shards=4))
    world.objects.stored[PREFIX + "one.out"] = b"real"
    return world


@pytest.fixture
def items(table_name):
    return lambda: boto3.client("dynamodb").scan(TableName=table_name)["Items"]


def status(item):
    return item[Attribute.STATUS]["S"]


def test_a_result_from_the_future_stays_until_the_record_is_deleted(world, items, table_name):
    assert world.process(body(FORGED)) is Disposition.RECORDED
    assert world.process(body(REAL)) is Disposition.SUPERSEDED
    (forged,) = items()
    assert status(forged) == "Failed"
    key = {name: forged[name] for name in (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME)}
    boto3.client("dynamodb").delete_item(TableName=table_name, Key=key)
    assert world.process(body(REAL)) is Disposition.RECORDED
    assert [status(each) for each in items()] == ["Completed"]


def test_only_the_record_with_the_same_id_and_endpoint_is_changed(world, items):
    world.process(body(REAL))
    world.process(body(REAL | {"inferenceId": "other"}))
    elsewhere = {**FORGED, "requestParameters": {"endpointName": "elsewhere"}}
    world.process(body(elsewhere))
    assert sorted(map(status, items())) == ["Completed", "Completed", "Failed"]


def test_a_result_from_the_future_does_not_extend_the_retention(world, items):
    world.process(body(REAL))
    (real,) = items()
    world.process(body(FORGED))
    (forged,) = items()
    assert forged[Attribute.EXPIRES_AT] == real[Attribute.EXPIRES_AT]


def test_each_newer_result_restarts_the_retention(world, items):
    world.process(body(REAL))
    (real,) = items()
    world.now += timedelta(days=89)
    world.process(body(FORGED))
    (forged,) = items()
    days = (int(forged[Attribute.EXPIRES_AT]["N"]) - int(real[Attribute.EXPIRES_AT]["N"])) / 86_400
    assert days == 89


def test_an_output_in_the_notification_is_stored_without_reading_s3(world, items):
    content = base64.b64encode(b"forged").decode()
    world.process(body(REAL | {"responseBody": {"content": content, "encoding": "BASE64"}}))
    (item,) = items()
    assert item[Attribute.OUTPUT]["M"]["inline"] == {"B": b"forged"}
    assert world.objects.reads == []
