"""Submitting, and registering what was submitted, by both clients over the HTTP API."""

import base64
import json
import logging
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest

from inference_results.client import (
    IdempotencyKeyReused,
    InferenceResultsError,
    InvalidRequest,
    InvocationRejected,
    PromisedLocations,
    ServiceUnavailable,
)
from inference_results.client.flows.requests import Register, Submit
from inference_results.client.flows.submissions import registration, submission
from inference_results.client.transports.http_api import Api
from inference_results.client.transports.request_body import MAX_REQUEST_BYTES, encode_input
from inference_results.contract import Problem
from tests.client.service import problem

RESPONSE = {
    "InferenceId": "a b/c?d",
    "OutputLocation": "s3://bucket/out/1.out",
    "FailureLocation": "s3://bucket/failures/1.out",
    "ResponseMetadata": {"HTTPHeaders": {"date": "Sun, 25 Jan 2026 12:00:00 GMT"}},
}
LARGEST = 4_400_000
"""Bytes that are no text, of which a request can hold so many."""


def without(*names):
    return {name: each for name, each in RESPONSE.items() if name not in names}


def sent(service):
    return [json.loads(request.content) for request in service.requests]


# register


def test_a_registration_says_what_sagemaker_answered_and_when(client, service):
    inference = client.register(RESPONSE, endpoint="speech")
    (request,) = service.requests
    assert (request.method, request.url.raw_path) == ("PUT", b"/inference?id=a%20b%2Fc%3Fd")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {
        "endpoint": "speech",
        "submitted_at": "2026-01-25T12:00:00.000Z",
        "output_location": "s3://bucket/out/1.out",
        "failure_location": "s3://bucket/failures/1.out",
    }
    assert inference.status == "InProgress"
    assert inference.submitted_at == datetime(2026, 1, 25, 12, tzinfo=UTC)
    assert inference.submission == PromisedLocations(
        output_location="s3://bucket/out/1.out", failure_location="s3://bucket/failures/1.out"
    )


def test_a_registration_says_all_that_sagemaker_was_told(client, service):
    told = {
        "metadata": {"job": "7"},
        "task_token": "token",
        "input_location": "s3://bucket/in/1",
        "content_type": "audio/wav",
        "custom_attributes": "trace=1",
        "request_ttl_seconds": 60,
        "invocation_timeout_seconds": 3600,
    }
    client.register(without("FailureLocation"), endpoint="speech", **told)
    ((inference_id, members),) = service.registered
    assert inference_id == "a b/c?d"
    assert members == told | {
        "endpoint": "speech",
        "submitted_at": "2026-01-25T12:00:00.000Z",
        "output_location": "s3://bucket/out/1.out",
    }


@pytest.mark.parametrize(
    "submitted_at",
    [
        "2026-01-25T13:30:00.250+01:00",
        datetime(2026, 1, 25, 13, 30, 0, 250_000, timezone(timedelta(hours=1))),
    ],
)
@pytest.mark.parametrize("response", [RESPONSE, without("ResponseMetadata")])
def test_a_time_that_is_given_counts(client, service, submitted_at, response):
    client.register(response, endpoint="speech", submitted_at=submitted_at)
    assert sent(service)[0]["submitted_at"] == "2026-01-25T12:30:00.250Z"


@pytest.mark.parametrize(
    "metadata",
    [{}, {"HTTPHeaders": {}}, {"HTTPHeaders": {"date": "yesterday"}}],
)
def test_a_response_without_its_date_needs_the_time(client, service, metadata):
    with pytest.raises(InvalidRequest) as refused:
        client.register(RESPONSE | {"ResponseMetadata": metadata}, endpoint="speech")
    assert refused.value.parameter == "submitted_at"
    assert service.requests == []


@pytest.mark.parametrize("name", ["InferenceId", "OutputLocation"])
def test_a_response_without_what_is_needed_is_refused(client, service, name):
    with pytest.raises(InvalidRequest, match=name):
        client.register(without(name), endpoint="speech")
    assert service.requests == []


@pytest.mark.parametrize(
    ("response", "members", "parameter"),
    [
        ("s3://bucket/out/1.out", {}, "response"),
        (RESPONSE | {"InferenceId": "é"}, {}, "inference_id"),
        (RESPONSE | {"OutputLocation": "ftp://bucket/1"}, {}, "output_location"),
        (RESPONSE, {"endpoint": ""}, "endpoint"),
        (RESPONSE, {"endpoint": "a\nb"}, "endpoint"),
        (RESPONSE, {"submitted_at": datetime(2026, 1, 25)}, "submitted_at"),
        (RESPONSE, {"submitted_at": "2026-01-25"}, "submitted_at"),
        (RESPONSE, {"submitted_at": ""}, "submitted_at"),
        (RESPONSE, {"metadata": {"job": 7}}, "metadata"),
        (RESPONSE, {"custom_attributes": "é"}, "custom_attributes"),
        (RESPONSE, {"request_ttl_seconds": 59}, "request_ttl_seconds"),
        (RESPONSE, {"invocation_timeout_seconds": 3601}, "invocation_timeout_seconds"),
    ],
)
def test_a_registration_that_can_be_none_is_refused_before_it_is_sent(
    client, service, response, members, parameter
):
    with pytest.raises(InvalidRequest) as refused:
        client.register(response, **{"endpoint": "speech"} | members)
    assert refused.value.parameter == parameter
    assert service.requests == []


@pytest.mark.parametrize("failure", [httpx.Response(503), httpx.ReadTimeout("lost")])
def test_a_registration_is_tried_again(client, service, failure):
    service.failures = [failure] * 4
    assert client.register(RESPONSE, endpoint="speech").status == "InProgress"
    assert len({request.content for request in service.requests}) == 1
    service.failures = [failure] * 5
    with pytest.raises(ServiceUnavailable):
        client.register(RESPONSE, endpoint="speech")


# submit


def test_a_submission_sends_the_input_and_the_key(client, service):
    given = {
        "idempotency_key": "order-7",
        "metadata": {"job": "7"},
        "task_token": "token",
        "content_type": "application/json",
        "accept": "text/csv",
        "custom_attributes": "trace=1",
        "request_ttl_seconds": 60,
        "invocation_timeout_seconds": 1,
    }
    inference = client.submit("speech", b"[1, 2]", **given)
    (request,) = service.requests
    assert (request.method, request.url.raw_path) == ("POST", b"/inferences")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == given | {
        "endpoint": "speech",
        "input": {"encoding": "utf-8", "content": "[1, 2]"},
    }
    assert inference.endpoint_name == "speech"
    assert not inference.is_terminal


def test_a_text_is_a_location(client, service):
    client.submit("speech", "s3://bucket/in/1 2.wav", idempotency_key="one")
    assert sent(service) == [
        {
            "endpoint": "speech",
            "idempotency_key": "one",
            "input_location": "s3://bucket/in/1 2.wav",
        }
    ]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_all_kinds_of_bytes_are_the_input_itself(client, service, kind):
    client.submit("speech", kind(b"\xff\x00"), idempotency_key="one")
    assert service.invoked[0][1] == b"\xff\x00"


def test_an_input_that_changes_later_is_sent_as_it_was():
    body, metadata = bytearray(b"one"), {"job": "1"}
    said = submission("speech", body, idempotency_key="one", metadata=metadata)
    body[:] = b"two"
    metadata["job"] = "2"
    assert (said.body, said.members["metadata"]) == (b"one", {"job": "1"})


@pytest.mark.parametrize(
    ("given", "members", "parameter"),
    [
        (None, {}, "input"),
        (7, {}, "input"),
        (["s3://bucket/in/1"], {}, "input"),
        ("/tmp/one.wav", {}, "input_location"),
        (b"x", {"endpoint": "a" * 257}, "endpoint"),
        (b"x", {"endpoint": None}, "endpoint"),
        (b"x", {"idempotency_key": ""}, "idempotency_key"),
        (b"x", {"idempotency_key": None}, "idempotency_key"),
        (b"x", {"metadata": {"job": "x" * 4096}}, "metadata"),
        (b"x", {"accept": "a\nb"}, "accept"),
        (b"x", {"content_type": ""}, "content_type"),
        (b"x", {"request_ttl_seconds": 60.5}, "request_ttl_seconds"),
        (b"x", {"task_token": "x" * 2049}, "task_token"),
    ],
)
def test_a_submission_that_can_be_none_is_refused_before_it_is_sent(
    client, service, given, members, parameter
):
    named = {"endpoint": "speech", "idempotency_key": "one"} | members
    with pytest.raises(InvalidRequest) as refused:
        client.submit(named.pop("endpoint"), given, **named)
    assert refused.value.parameter == parameter
    assert service.requests == []


def test_the_same_submission_again_is_the_same_inference(client, service):
    first, second = (client.submit("speech", b"x", idempotency_key="one") for _ in range(2))
    assert first == second
    assert len(service.invoked) == 1


@pytest.mark.parametrize("failure", [httpx.Response(503), httpx.Response(504), httpx.Response(429)])
def test_a_submission_that_failed_is_tried_again_with_its_key(client, service, failure):
    service.failures = [failure] * 4
    client.submit("speech", b"x", idempotency_key="one")
    assert len(service.invoked) == 1
    assert {each["idempotency_key"] for each in sent(service)} == {"one"}
    service.failures = [failure] * 5
    with pytest.raises(ServiceUnavailable):
        client.submit("speech", b"x", idempotency_key="one")


def test_a_submission_whose_answers_are_lost_is_one_invocation(client, service):
    service.lost_answers = 3
    client.submit("speech", b"x", idempotency_key="one")
    assert len(service.requests) == 4
    assert len(service.invoked) == 1


def test_a_key_of_another_request_is_told_with_its_inference(client, service):
    first = client.submit("speech", b"x", idempotency_key="one")
    with pytest.raises(IdempotencyKeyReused) as reused:
        client.submit("speech", b"y", idempotency_key="one")
    assert reused.value.inference_id == first.inference_id
    assert len(service.requests) == 2


def test_what_sagemaker_refuses_is_told_and_not_tried_again(client, service):
    service.failures = [problem(Problem.INVOCATION_REJECTED, 400, code="ValidationError")]
    with pytest.raises(InvocationRejected, match="ValidationError") as refused:
        client.submit("speech", b"x", idempotency_key="one")
    assert (refused.value.code, refused.value.reason) == ("ValidationError", "as it is")
    assert len(service.requests) == 1


def test_what_the_service_refuses_is_told(client, service):
    service.failures = [
        problem(Problem.INVALID_PARAMETER, 400, parameter="input", expected="1 to 128000 bytes")
    ]
    with pytest.raises(InvalidRequest, match="^input: expected 1 to 128000 bytes$"):
        client.submit("speech", b"x" * 200_000, idempotency_key="one")


def test_an_answer_is_awaited_for_as_long_as_a_submission_may_take():
    api = Api.at("https://api.test")
    asked = api.request(submission("speech", b"x", idempotency_key="one"))
    assert asked.extensions["timeout"]["read"] > 30


# How the input is sent


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", "utf-8"),
        (b"good morning", "utf-8"),
        ("Grüße".encode() + b" and more of it", "utf-8"),
        (b"\xef\xbb\xbfwith a mark", "utf-8"),
        (b"\xff\x00", "base64"),
        ("早上好".encode(), "base64"),
        (b'"' * 100, "base64"),
        (b"\x00" * 100, "base64"),
    ],
)
def test_an_input_is_sent_as_text_where_that_is_not_the_larger(client, service, body, encoding):
    client.submit("speech", body, idempotency_key="one")
    assert sent(service)[0]["input"]["encoding"] == encoding
    assert service.invoked[0][1] == body


def test_base64_is_that_of_the_bytes():
    content = base64.b64encode(b"\xff\x00").decode()
    assert encode_input(b"\xff\x00") == {"encoding": "base64", "content": content}


def bytes_for_the_function(request):
    """API Gateway puts the body into the event of the function, as a text in JSON."""
    return len(json.dumps({"body": request.content.decode()}))


@pytest.mark.parametrize("body", [b"\xff" * LARGEST, b"x" * 5_900_000, b'"x' * 2_100_000])
def test_a_large_input_is_sent_while_a_function_takes_the_request(client, service, body):
    client.submit("speech", body, idempotency_key="one")
    assert service.invoked[0][1] == body
    assert bytes_for_the_function(service.requests[0]) < 6 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * (LARGEST + 200_000),
        b"x" * MAX_REQUEST_BYTES,
        b"x" * (MAX_REQUEST_BYTES + 1),
        b'"x' * 2_300_000,
    ],
)
def test_an_input_that_no_request_can_hold_is_refused_before_it_is_sent(client, service, body):
    with pytest.raises(InvalidRequest, match="upload it to S3, and give its location") as refused:
        client.submit("speech", body, idempotency_key="one")
    assert refused.value.parameter == "input"
    assert service.requests == []


# What must not be seen

SECRETS = {
    "custom_attributes": "SECRET-1",
    "metadata": {"SECRET-2": "SECRET-3"},
    "task_token": "SECRET-5",
}


def test_what_is_said_shows_no_secrets():
    said = [
        registration(RESPONSE, submitted_at=None, endpoint="speech", **SECRETS),
        submission("speech", b"SECRET-4", idempotency_key="one", **SECRETS),
    ]
    assert [type(each) for each in said] == [Register, Submit]
    assert "SECRET" not in repr(said)


def test_neither_logs_nor_errors_hold_secrets(client, service, caplog):
    caplog.set_level(logging.DEBUG)
    service.failures = [httpx.Response(503), httpx.ReadTimeout("lost")]
    client.register(RESPONSE, endpoint="speech", **SECRETS)
    service.failures = [httpx.Response(400), httpx.Response(503)] + [httpx.Response(503)] * 4
    for _ in range(2):
        with pytest.raises(InferenceResultsError, match="HTTP 400|503") as raised:
            client.submit("speech", b"SECRET-4", idempotency_key="one", **SECRETS)
        assert "SECRET" not in repr(raised.value)
    assert "POST" in caplog.text
    assert "SECRET" not in caplog.text
