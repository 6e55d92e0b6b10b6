import json
from unittest.mock import patch
from urllib.parse import urlencode

import boto3
import pytest
from openapi_schema_validator import OAS31Validator

from inference_results.adapters.sagemaker import AsyncEndpoints
from inference_results.contract import Problem, Route
from inference_results.domain.record.errors import InvocationRejected, Unavailable
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.invocation import InvocationResponse
from schemas.openapi import document
from tests.support.fakes import NOW
from tests.support.synthesis import STATE_MACHINE, synthesised

INPUTS = "customer-inputs"
SUBMISSION = {
    "endpoint": "speech",
    "idempotency_key": "one",
    "input": {"encoding": "utf-8", "content": "hello"},
}
REGISTRATION = {
    "endpoint": "speech",
    "submitted_at": timestamp(NOW),
    "output_location": "s3://customer-outputs/async/one.out",
}


@pytest.fixture
def invocations():
    """Return the list of invocations. An exception in its `errors` makes the next one fail."""

    class Invocations(list):
        errors = []

    invocations = Invocations()

    def invoke(self, invocation):
        if invocations.errors:
            raise invocations.errors.pop()
        invocations.append(invocation)
        return InvocationResponse(
            invoked_at=NOW,
            output_location="s3://customer-outputs/async/one.out",
            failure_location=None,
        )

    with patch.object(AsyncEndpoints, "invoke", invoke):
        yield invocations


@pytest.fixture
def handler(load_handler, s3, invocations):
    s3.create_bucket(Bucket=INPUTS)
    template = synthesised("submission", state_machine_arns=STATE_MACHINE)["InferenceResults"]
    return load_handler("submission_api", template)


@pytest.fixture
def send(handler, context):
    """Return a function that returns status and body, validated with the OpenAPI document."""

    def send(route, body, query=None, handler=handler, **parameters):
        method, pattern = route.split(" ")
        event = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": pattern,
            "rawQueryString": urlencode(query or {}),
            "headers": {},
            "pathParameters": parameters,
            "requestContext": {
                "http": {"method": method, "path": pattern},
                "stage": "$default",
                "requestId": "request-1",
            },
            "body": body if isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
        }
        response = handler(event, context)
        parsed = json.loads(response["body"])
        openapi = document()
        responses = openapi["paths"][pattern][method.lower()]["responses"]
        content = responses[str(response["statusCode"])]["content"]
        schema = content[response["headers"]["Content-Type"]]["schema"]
        OAS31Validator(schema | {"components": openapi["components"]}).validate(parsed)
        return response["statusCode"], parsed

    return send


def test_a_submission_invokes_the_endpoint_and_creates_a_record(send, invocations):
    status, record = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"metadata": {"page": "17"}})
    assert (status, record["status"]) == (201, "InProgress")
    assert record["caller_metadata"] == {"page": "17"}
    assert record["submission"] == {"output_location": "s3://customer-outputs/async/one.out"}
    assert [each.body for each in invocations] == [b"hello"]


def test_a_repeated_submission_returns_the_record(send, invocations):
    _, first = send(Route.SUBMIT_INFERENCE, SUBMISSION)
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION) == (200, first)
    assert len(invocations) == 1


def test_a_binary_input_is_sent_as_base64(send, invocations):
    send(
        Route.SUBMIT_INFERENCE,
        SUBMISSION | {"input": {"encoding": "base64", "content": "/wA="}},
    )
    assert invocations[0].body == b"\xff\x00"


def test_a_large_input_is_stored_below_the_prefix(send, invocations):
    content = "x" * 200_000
    send(Route.SUBMIT_INFERENCE, SUBMISSION | {"input": {"encoding": "utf-8", "content": content}})
    key = invocations[0].input_location.removeprefix(f"s3://{INPUTS}/")
    assert key.startswith("async/")
    stored = boto3.client("s3").get_object(Bucket=INPUTS, Key=key)
    assert stored["Body"].read() == content.encode()


def test_an_endpoint_that_is_not_in_the_settings_is_rejected(send, invocations):
    status, problem = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"endpoint": "secret"})
    assert (status, problem["parameter"]) == (400, "endpoint")
    assert invocations == []


def test_by_default_no_endpoint_can_be_invoked(load_handler, context, invocations, s3):
    handler = load_handler("submission_api")
    response = handler(
        {
            "routeKey": Route.SUBMIT_INFERENCE,
            "rawPath": "/inferences",
            "rawQueryString": "",
            "headers": {},
            "requestContext": {
                "http": {"method": "POST", "path": "/inferences"},
                "stage": "$default",
            },
            "body": json.dumps(SUBMISSION),
            "isBase64Encoded": False,
        },
        context,
    )
    assert (response["statusCode"], json.loads(response["body"])["parameter"]) == (400, "endpoint")
    assert invocations == []


def test_another_input_with_the_same_key_is_rejected(send):
    _, record = send(Route.SUBMIT_INFERENCE, SUBMISSION)
    status, problem = send(
        Route.SUBMIT_INFERENCE,
        SUBMISSION | {"input": {"encoding": "utf-8", "content": "other"}},
    )
    assert (status, problem["type"]) == (422, Problem.KEY_REUSED)
    assert problem["inference_id"] == record["inference_id"]


def test_an_invocation_that_sagemaker_rejects_is_rejected_with_its_message(send, invocations):
    invocations.errors.append(InvocationRejected("ValidationError", "Endpoint speech not found."))
    status, problem = send(Route.SUBMIT_INFERENCE, SUBMISSION)
    assert (status, problem["type"]) == (400, Problem.INVOCATION_REJECTED)
    assert problem["code"] == "ValidationError"
    assert "Endpoint speech not found." in problem["detail"]
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION)[0] == 201


def test_a_throttled_submission_can_be_retried(send, invocations):
    invocations.errors.append(Unavailable("sagemaker", "ThrottlingException"))
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION)[0] == 503
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION)[0] == 201


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ("not JSON", "body"),
        ({}, "endpoint"),
        (SUBMISSION | {"input": "hello"}, "input"),
        (SUBMISSION | {"input": {"encoding": "utf-16", "content": ""}}, "input"),
        (SUBMISSION | {"input": {"encoding": "utf-8", "content": "\ud800"}}, "input"),
        (SUBMISSION | {"input": {"encoding": "base64", "content": "?"}}, "input"),
        (SUBMISSION | {"input": {"encoding": "utf-8", "content": "x", "more": 1}}, "input"),
        (SUBMISSION | {"input_location": "s3://customer-inputs/x"}, "input"),
        (SUBMISSION | {"body": "hello"}, "body"),
        (SUBMISSION | {"metadata": None}, "metadata"),
    ],
)
def test_an_invalid_submission_is_rejected_with_its_parameter(send, invocations, body, parameter):
    status, problem = send(Route.SUBMIT_INFERENCE, body)
    assert (status, problem["parameter"]) == (400, parameter)
    assert invocations == []


def test_an_invocation_is_registered_by_its_id(send):
    status, record = send(Route.REGISTER_INFERENCE, REGISTRATION, inference_id="one")
    assert (status, record["inference_id"], record["status"]) == (200, "one", "InProgress")
    assert send(Route.REGISTER_INFERENCE, REGISTRATION, inference_id="one") == (200, record)


def test_an_invocation_with_any_id_is_registered_by_query(send):
    _, record = send(Route.REGISTER_INFERENCE_BY_QUERY, REGISTRATION, {"id": "a/b?c#d%2F"})
    assert record["inference_id"] == "a/b?c#d%2F"


@pytest.mark.parametrize(
    ("body", "query", "parameter"),
    [
        (REGISTRATION, {}, "id"),
        (REGISTRATION, {"id": "one", "wait": "1"}, "wait"),
        (REGISTRATION | {"inference_id": "two"}, {"id": "one"}, "inference_id"),
        (REGISTRATION | {"output_location": "elsewhere"}, {"id": "one"}, "output_location"),
        ("[]", {"id": "one"}, "body"),
    ],
)
def test_an_invalid_registration_is_rejected_with_its_parameter(send, body, query, parameter):
    status, problem = send(Route.REGISTER_INFERENCE_BY_QUERY, body, query)
    assert (status, problem["parameter"]) == (400, parameter)


def test_a_task_token_is_stored_but_never_returned_or_logged(
    send, invocations, table_name, caplog, capsys
):
    _, submitted = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": "SECRET-1"})
    _, again = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": "SECRET-2"})
    _, registered = send(
        Route.REGISTER_INFERENCE, REGISTRATION | {"task_token": "SECRET-3"}, inference_id="one"
    )
    assert submitted == again
    stored = [
        each.get("task_tokens")
        for each in boto3.client("dynamodb").scan(TableName=table_name)["Items"]
    ]
    assert sorted(stored, key=str) == [{"SS": ["SECRET-1", "SECRET-2"]}, {"SS": ["SECRET-3"]}]
    logged = str([vars(each) for each in caplog.records]) + str(capsys.readouterr())
    assert "SECRET" not in logged + repr(invocations) + repr([submitted, registered])


@pytest.mark.parametrize("token", ["", "SECRET" * 400, ["SECRET"], None])
def test_an_invalid_task_token_is_rejected_and_not_quoted(send, invocations, token, caplog, capsys):
    for route, body in (
        (Route.SUBMIT_INFERENCE, SUBMISSION),
        (Route.REGISTER_INFERENCE, REGISTRATION),
    ):
        status, problem = send(route, body | {"task_token": token}, inference_id="one")
        assert (status, problem["parameter"]) == (400, "task_token")
        assert problem["expected"] == "1 to 2048 characters"
        assert "SECRET" not in repr(problem) + caplog.text + str(capsys.readouterr())
    assert invocations == []


def test_too_many_task_tokens_are_rejected_and_not_quoted(send, caplog, capsys):
    for number in range(20):
        send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": f"SECRET-{number}"})
    status, problem = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": "SECRET-20"})
    assert (status, problem["expected"]) == (400, "at most 20 for one inference")
    assert "SECRET" not in repr(problem) + caplog.text + str(capsys.readouterr())


def test_a_task_token_is_rejected_without_state_machines_in_the_settings(
    send, load_handler, invocations
):
    handler = load_handler("submission_api", synthesised("submission")["InferenceResults"])
    for route, body in (
        (Route.SUBMIT_INFERENCE, SUBMISSION),
        (Route.REGISTER_INFERENCE, REGISTRATION),
    ):
        status, problem = send(
            route, body | {"task_token": "token"}, inference_id="one", handler=handler
        )
        assert (status, problem["parameter"]) == (400, "task_token")
        assert "state_machine_arns" in problem["expected"]
    assert invocations == []


def test_input_metadata_and_custom_attributes_are_not_logged(send, invocations, caplog, capsys):
    secrets = {
        "input": {"encoding": "utf-8", "content": "secret-input"},
        "metadata": {"name": "secret-metadata"},
        "custom_attributes": "secret-attributes",
    }
    invocations.errors.append(Unavailable("sagemaker", "ThrottlingException"))
    send(Route.SUBMIT_INFERENCE, SUBMISSION | secrets)
    send(Route.SUBMIT_INFERENCE, SUBMISSION | secrets)
    assert [each.message for each in caplog.records] == ["service unavailable"]
    logged = str([vars(each) for each in caplog.records]) + str(capsys.readouterr())
    assert "secret" not in logged + repr(invocations)
