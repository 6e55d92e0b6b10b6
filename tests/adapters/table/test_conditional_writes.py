import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from inference_results.adapters.table.conditional_writes import (
    conditional_delete,
    conditional_update,
)
from inference_results.adapters.table.conditions import equals, exists, less_than, not_exists
from inference_results.adapters.table.updates import Update
from inference_results.domain.record.errors import Unavailable

KEY = {"inference_id": "one", "endpoint_name": "here"}
NEW = not_exists("inference_id")


@pytest.fixture
def client(aws):
    return boto3.client("dynamodb")


@pytest.fixture
def update(client, table_name):
    def update(value, condition=NEW, **options):
        change = Update(set={"status": value})
        return conditional_update(client, table_name, KEY, change, condition, **options)

    return update


def test_an_update_is_written_if_its_condition_holds(update):
    assert update("one") == (True, {})
    assert update("two", equals("status", seen="one")) == (True, {})


def test_a_written_item_is_returned_on_request(update):
    written, item = update("one", return_item=True)
    assert written
    assert item["status"] == {"S": "one"}


def test_a_conflicting_item_is_returned(update):
    update("one")
    written, item = update("two")
    assert not written
    assert item["status"] == {"S": "one"}


def test_without_an_item_the_conflicting_item_is_empty(update):
    assert update("one", exists("status")) == (False, {})


class _FastClient:
    """Fails as a fast client does: with binary values in base64."""

    def update_item(self, **_):
        response = {
            "Error": {"Code": "ConditionalCheckFailedException", "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": 400},
            "Item": {"output": {"M": {"inline": {"B": "/w=="}}}},
        }
        raise ClientError(response, "UpdateItem")


def test_the_conflicting_item_of_a_fast_client_is_not_converted():
    response = conditional_update(_FastClient(), "inferences", KEY, Update(set={"a": 1}), NEW)
    assert response == (False, {"output": {"M": {"inline": {"B": "/w=="}}}})


def test_an_update_and_its_condition_can_share_a_value(update):
    update("one")
    assert update("two", less_than("status", status="two")).written


def test_a_value_that_differs_between_update_and_condition_is_an_error(update):
    with pytest.raises(ValueError, match="^:status stands for two things"):
        update("two", equals("status", status="one"))


def test_a_delete_needs_its_condition(client, table_name, update):
    update("one")
    assert not conditional_delete(client, table_name, KEY, equals("status", seen="two"))
    assert update("two", exists("status")).written
    assert conditional_delete(client, table_name, KEY, equals("status", seen="two"))
    assert update("three").written


@pytest.mark.parametrize("operation", ["update_item", "delete_item"])
@pytest.mark.parametrize(
    ("code", "error"), [("InternalServerError", Unavailable), ("ValidationException", ClientError)]
)
def test_only_errors_that_a_retry_can_help_are_unavailable(client, operation, code, error):
    write = {
        "update_item": lambda: conditional_update(client, "t", KEY, Update(set={"a": 1}), NEW),
        "delete_item": lambda: conditional_delete(client, "t", KEY, equals("a", one=1)),
    }[operation]
    status = 500 if error is Unavailable else 400
    with Stubber(client) as stub:
        for _ in range(3):
            stub.add_client_error(operation, code, http_status_code=status)
        with pytest.raises(error, match=code):
            write()
