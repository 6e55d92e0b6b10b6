import json
from unittest.mock import patch
from urllib.parse import quote

import boto3
import pytest

from inference_results.adapters.dynamodb import InferencesTable
from inference_results.domain.errors import Unavailable


@pytest.fixture
def handler(load_handler):
    return load_handler("status_api")


@pytest.fixture
def put(table_name):
    def put(inference_id, endpoint_name="here", status="Completed"):
        item = {
            "inference_id": inference_id,
            "endpoint_name": endpoint_name,
            "status": status,
            "event_order": "internal",
        }
        boto3.client("dynamodb").put_item(
            TableName=table_name, Item={name: {"S": each} for name, each in item.items()}
        )

    return put


def request(inference_id, **query):
    """API Gateway's payload 2.0: the path comes decoded, as its parameter does."""
    return {
        "version": "2.0",
        "routeKey": "GET /inferences/{inference_id}",
        "rawPath": f"/inferences/{inference_id}",
        "rawQueryString": "&".join(f"{name}={quote(each)}" for name, each in query.items()),
        "headers": {},
        "queryStringParameters": query or None,
        "pathParameters": {"inference_id": inference_id},
        "requestContext": {
            "http": {"method": "GET", "path": f"/inferences/{inference_id}"},
            "stage": "$default",
            "requestId": "request-1",
        },
        "isBase64Encoded": False,
    }


def answer(response):
    return response["statusCode"], response["headers"]["Content-Type"], json.loads(response["body"])


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    "inference_id", ["one", "page-18 (retry #2)", "ab" * 32, "~!@$^*|'\"+,;=:&<>[]{}"]
)
def test_a_recorded_inference_is_answered_whatever_its_id(handler, put, context, inference_id):
    put(inference_id)
    assert answer(handler(request(inference_id), context)) == (
        200,
        "application/json",
        {"inference_id": inference_id, "endpoint_name": "here", "status": "Completed"},
    )


def test_an_unknown_id_is_not_found(handler, context):
    status, content_type, problem = answer(handler(request("unknown"), context))
    assert (status, content_type) == (404, PROBLEM)
    assert problem == {
        "title": "Not Found",
        "status": 404,
        "detail": "no inference with this id is recorded",
    }


def test_an_id_on_two_endpoints_is_a_conflict_that_names_them(handler, put, context):
    put("one")
    put("one", "there")
    status, content_type, problem = answer(handler(request("one"), context))
    assert (status, content_type) == (409, PROBLEM)
    assert problem["endpoints"] == ["here", "there"]
    status, _, record = answer(handler(request("one", endpoint="there"), context))
    assert (status, record["endpoint_name"]) == (200, "there")


@pytest.mark.parametrize(
    ("inference_id", "query", "parameter"),
    [
        ("x" * 65, {}, "inference_id"),
        ("é", {}, "inference_id"),
        ("one", {"endpoint": ""}, "endpoint"),
    ],
)
def test_a_malformed_question_names_the_parameter(handler, context, inference_id, query, parameter):
    status, content_type, problem = answer(handler(request(inference_id, **query), context))
    assert (status, content_type) == (400, PROBLEM)
    assert problem["parameter"] == parameter
    assert "expected" in problem["detail"]


def test_a_table_that_throttles_is_a_reason_to_ask_again(handler, context):
    with patch.object(InferencesTable, "find", side_effect=Unavailable("dynamodb", "Throttled")):
        status, content_type, _ = answer(handler(request("one"), context))
    assert (status, content_type) == (503, PROBLEM)


def test_a_path_that_is_none_of_ours_is_not_found(handler, context):
    other = request("one") | {"rawPath": "/elsewhere", "routeKey": "GET /elsewhere"}
    assert handler(other, context)["statusCode"] == 404
