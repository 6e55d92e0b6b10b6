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
from inference_results.domain.submissions.submit import InvocationResponse
from schemas.openapi import document
from tests.fakes import NOW
from tests.synthesis import synthesised

INPUTS = "customer-inputs"
STATE_MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:nightly"
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
def invoked():
    """What SageMaker was told; it answers, or raises what is put into `errors`."""

    class Recorded(list):
        errors = []

    recorded = Recorded()

    def invoke(self, invocation):
        if recorded.errors:
            raise recorded.errors.pop()
        recorded.append(invocation)
        return InvocationResponse(
            invoked_at=NOW,
            output_location="s3://customer-outputs/async/one.out",
            failure_location=None,
        )

    with patch.object(AsyncEndpoints, "invoke", invoke):
        yield recorded


@pytest.fixture
def handler(load_handler, s3, invoked):
    s3.create_bucket(Bucket=INPUTS)
    template = synthesised("submission", state_machine_arns=STATE_MACHINE)["InferenceResults"]
    return load_handler("submission_api", template)


@pytest.fixture
def send(handler, context):
    """Answers with the HTTP status and the document, which must be as OpenAPI describes it."""

    def send(route, members, query=None, by=handler, **parameters):
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
            "body": members if isinstance(members, str) else json.dumps(members),
            "isBase64Encoded": False,
        }
        answer = by(event, context)
        found = json.loads(answer["body"])
        described = document()
        operation = described["paths"][pattern][method.lower()]
        (content,) = [
            each["content"]
            for status, each in operation["responses"].items()
            if status == str(answer["statusCode"])
        ]
        kind = answer["headers"]["Content-Type"]
        schema = content[kind]["schema"] | {"components": described["components"]}
        OAS31Validator(schema).validate(found)
        return answer["statusCode"], found

    return send


def test_a_submission_is_invoked_and_created(send, invoked):
    status, record = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"metadata": {"page": "17"}})
    assert (status, record["status"]) == (201, "InProgress")
    assert record["caller_metadata"] == {"page": "17"}
    assert record["submission"] == {"output_location": "s3://customer-outputs/async/one.out"}
    assert [each.body for each in invoked] == [b"hello"]


def test_the_same_submission_again_is_answered_with_its_record(send, invoked):
    _, first = send(Route.SUBMIT_INFERENCE, SUBMISSION)
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION) == (200, first)
    assert len(invoked) == 1


def test_bytes_come_as_base64(send, invoked):
    send(
        Route.SUBMIT_INFERENCE,
        SUBMISSION | {"input": {"encoding": "base64", "content": "/wA="}},
    )
    assert invoked[0].body == b"\xff\x00"


def test_a_large_input_is_put_below_the_prefix(send, invoked):
    content = "x" * 200_000
    send(Route.SUBMIT_INFERENCE, SUBMISSION | {"input": {"encoding": "utf-8", "content": content}})
    key = invoked[0].input_location.removeprefix(f"s3://{INPUTS}/")
    assert key.startswith("async/")
    stored = boto3.client("s3").get_object(Bucket=INPUTS, Key=key)
    assert stored["Body"].read() == content.encode()


def test_an_endpoint_that_is_not_named_in_the_settings_is_refused(send, invoked):
    status, problem = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"endpoint": "secret"})
    assert (status, problem["parameter"]) == (400, "endpoint")
    assert invoked == []


def test_by_default_nothing_may_be_invoked(load_handler, context, invoked, s3):
    handler = load_handler("submission_api")
    answer = handler(
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
    assert (answer["statusCode"], json.loads(answer["body"])["parameter"]) == (400, "endpoint")
    assert invoked == []


def test_another_input_under_the_same_key_is_refused(send):
    _, record = send(Route.SUBMIT_INFERENCE, SUBMISSION)
    status, problem = send(
        Route.SUBMIT_INFERENCE,
        SUBMISSION | {"input": {"encoding": "utf-8", "content": "other"}},
    )
    assert (status, problem["type"]) == (422, Problem.KEY_REUSED)
    assert problem["inference_id"] == record["inference_id"]


def test_sagemakers_refusal_is_passed_on(send, invoked):
    invoked.errors.append(InvocationRejected("ValidationError", "Endpoint speech not found."))
    status, problem = send(Route.SUBMIT_INFERENCE, SUBMISSION)
    assert (status, problem["type"]) == (400, Problem.INVOCATION_REJECTED)
    assert problem["code"] == "ValidationError"
    assert "Endpoint speech not found." in problem["detail"]
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION)[0] == 201


def test_throttling_may_be_repeated(send, invoked):
    invoked.errors.append(Unavailable("sagemaker", "ThrottlingException"))
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION)[0] == 503
    assert send(Route.SUBMIT_INFERENCE, SUBMISSION)[0] == 201


@pytest.mark.parametrize(
    ("members", "parameter"),
    [
        ("no JSON", "body"),
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
def test_a_malformed_submission_names_the_member(send, invoked, members, parameter):
    status, problem = send(Route.SUBMIT_INFERENCE, members)
    assert (status, problem["parameter"]) == (400, parameter)
    assert invoked == []


def test_an_invocation_is_registered_by_its_id(send):
    status, record = send(Route.REGISTER_INFERENCE, REGISTRATION, inference_id="one")
    assert (status, record["inference_id"], record["status"]) == (200, "one", "InProgress")
    assert send(Route.REGISTER_INFERENCE, REGISTRATION, inference_id="one") == (200, record)


def test_an_invocation_with_any_id_is_registered_by_query(send):
    _, record = send(Route.REGISTER_INFERENCE_BY_QUERY, REGISTRATION, {"id": "a/b?c#d%2F"})
    assert record["inference_id"] == "a/b?c#d%2F"


@pytest.mark.parametrize(
    ("members", "query", "parameter"),
    [
        (REGISTRATION, {}, "id"),
        (REGISTRATION, {"id": "one", "wait": "1"}, "wait"),
        (REGISTRATION | {"inference_id": "two"}, {"id": "one"}, "inference_id"),
        (REGISTRATION | {"output_location": "elsewhere"}, {"id": "one"}, "output_location"),
        ("[]", {"id": "one"}, "body"),
    ],
)
def test_a_malformed_registration_names_the_parameter(send, members, query, parameter):
    status, problem = send(Route.REGISTER_INFERENCE_BY_QUERY, members, query)
    assert (status, problem["parameter"]) == (400, parameter)


def test_a_task_token_is_kept_and_shown_to_nobody(send, invoked, table_name, caplog, capsys):
    _, submitted = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": "SECRET-1"})
    _, again = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": "SECRET-2"})
    _, registered = send(
        Route.REGISTER_INFERENCE, REGISTRATION | {"task_token": "SECRET-3"}, inference_id="one"
    )
    assert submitted == again
    kept = [
        each.get("task_tokens")
        for each in boto3.client("dynamodb").scan(TableName=table_name)["Items"]
    ]
    assert sorted(kept, key=str) == [{"SS": ["SECRET-1", "SECRET-2"]}, {"SS": ["SECRET-3"]}]
    told = str([vars(each) for each in caplog.records]) + str(capsys.readouterr()) + repr(invoked)
    assert "SECRET" not in told + repr([submitted, registered])


@pytest.mark.parametrize("token", ["", "SECRET" * 400, ["SECRET"], None])
def test_what_can_be_no_task_token_is_refused_and_not_quoted(send, invoked, token, caplog, capsys):
    for route, members in (
        (Route.SUBMIT_INFERENCE, SUBMISSION),
        (Route.REGISTER_INFERENCE, REGISTRATION),
    ):
        status, problem = send(route, members | {"task_token": token}, inference_id="one")
        assert (status, problem["parameter"]) == (400, "task_token")
        assert problem["expected"] == "1 to 2048 characters"
        assert "SECRET" not in repr(problem) + caplog.text + str(capsys.readouterr())
    assert invoked == []


def test_too_many_task_tokens_are_refused_and_not_quoted(send, caplog, capsys):
    for number in range(20):
        send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": f"SECRET-{number}"})
    status, problem = send(Route.SUBMIT_INFERENCE, SUBMISSION | {"task_token": "SECRET-20"})
    assert (status, problem["expected"]) == (400, "at most 20 for one inference")
    assert "SECRET" not in repr(problem) + caplog.text + str(capsys.readouterr())


def test_a_task_token_that_nobody_would_answer_is_refused(send, load_handler, invoked):
    unanswered = load_handler("submission_api", synthesised("submission")["InferenceResults"])
    for route, members in (
        (Route.SUBMIT_INFERENCE, SUBMISSION),
        (Route.REGISTER_INFERENCE, REGISTRATION),
    ):
        status, problem = send(
            route, members | {"task_token": "token"}, inference_id="one", by=unanswered
        )
        assert (status, problem["parameter"]) == (400, "task_token")
        assert "none" in problem["expected"]
    assert invoked == []


def test_no_log_holds_input_metadata_or_custom_attributes(send, invoked, caplog, capsys):
    secrets = {
        "input": {"encoding": "utf-8", "content": "secret-input"},
        "metadata": {"name": "secret-metadata"},
        "custom_attributes": "secret-attributes",
    }
    invoked.errors.append(Unavailable("sagemaker", "ThrottlingException"))
    send(Route.SUBMIT_INFERENCE, SUBMISSION | secrets)
    send(Route.SUBMIT_INFERENCE, SUBMISSION | secrets)
    assert [each.message for each in caplog.records] == ["unavailable"]
    told = str([vars(each) for each in caplog.records]) + str(capsys.readouterr()) + repr(invoked)
    assert "secret" not in told
