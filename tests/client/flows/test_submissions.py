"""Submit and register with both clients over the HTTP API."""

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
from inference_results.client.flows.submissions import build_registration, build_submission
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
MAX_BINARY_BYTES = 4_400_000
"""About the largest binary input that fits in a request."""


def response_without(*names):
    return {name: each for name, each in RESPONSE.items() if name not in names}


def sent_bodies(service):
    return [json.loads(request.content) for request in service.requests]


# register


def test_register_sends_the_locations_and_the_date_of_the_response(client, service):
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


def test_register_sends_all_members(client, service):
    members = {
        "metadata": {"job": "7"},
        "task_token": "token",
        "input_location": "s3://bucket/in/1",
        "content_type": "audio/wav",
        "custom_attributes": "trace=1",
        "request_ttl_seconds": 60,
        "invocation_timeout_seconds": 3600,
    }
    client.register(response_without("FailureLocation"), endpoint="speech", **members)
    ((inference_id, registered),) = service.registered
    assert inference_id == "a b/c?d"
    assert registered == members | {
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
@pytest.mark.parametrize("response", [RESPONSE, response_without("ResponseMetadata")])
def test_register_prefers_an_explicit_time(client, service, submitted_at, response):
    client.register(response, endpoint="speech", submitted_at=submitted_at)
    assert sent_bodies(service)[0]["submitted_at"] == "2026-01-25T12:30:00.250Z"


@pytest.mark.parametrize(
    "metadata",
    [{}, {"HTTPHeaders": {}}, {"HTTPHeaders": {"date": "yesterday"}}],
)
def test_register_needs_a_time_if_the_response_has_no_date(client, service, metadata):
    with pytest.raises(InvalidRequest) as raised:
        client.register(RESPONSE | {"ResponseMetadata": metadata}, endpoint="speech")
    assert raised.value.parameter == "submitted_at"
    assert service.requests == []


@pytest.mark.parametrize("name", ["InferenceId", "OutputLocation"])
def test_register_rejects_an_incomplete_response(client, service, name):
    with pytest.raises(InvalidRequest, match=name):
        client.register(response_without(name), endpoint="speech")
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
def test_register_rejects_invalid_members_before_a_request(
    client, service, response, members, parameter
):
    with pytest.raises(InvalidRequest) as raised:
        client.register(response, **{"endpoint": "speech"} | members)
    assert raised.value.parameter == parameter
    assert service.requests == []


@pytest.mark.parametrize("failure", [httpx.Response(503), httpx.ReadTimeout("lost")])
def test_register_retries_transient_failures(client, service, failure):
    service.failures = [failure] * 4
    assert client.register(RESPONSE, endpoint="speech").status == "InProgress"
    assert len({request.content for request in service.requests}) == 1
    service.failures = [failure] * 5
    with pytest.raises(ServiceUnavailable):
        client.register(RESPONSE, endpoint="speech")


# submit


def test_submit_sends_the_input_and_the_key(client, service):
    members = {
        "idempotency_key": "order-7",
        "metadata": {"job": "7"},
        "task_token": "token",
        "content_type": "application/json",
        "accept": "text/csv",
        "custom_attributes": "trace=1",
        "request_ttl_seconds": 60,
        "invocation_timeout_seconds": 1,
    }
    inference = client.submit("speech", b"[1, 2]", **members)
    (request,) = service.requests
    assert (request.method, request.url.raw_path) == ("POST", b"/inferences")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == members | {
        "endpoint": "speech",
        "input": {"encoding": "utf-8", "content": "[1, 2]"},
    }
    assert inference.endpoint_name == "speech"
    assert not inference.is_terminal


def test_submit_sends_a_string_as_a_location(client, service):
    client.submit("speech", "s3://bucket/in/1 2.wav", idempotency_key="one")
    assert sent_bodies(service) == [
        {
            "endpoint": "speech",
            "idempotency_key": "one",
            "input_location": "s3://bucket/in/1 2.wav",
        }
    ]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_submit_sends_all_bytes_types_as_the_input(client, service, kind):
    client.submit("speech", kind(b"\xff\x00"), idempotency_key="one")
    assert service.invoked[0][1] == b"\xff\x00"


def test_a_submission_copies_its_input_and_metadata():
    body, metadata = bytearray(b"one"), {"job": "1"}
    request = build_submission("speech", body, idempotency_key="one", metadata=metadata)
    body[:] = b"two"
    metadata["job"] = "2"
    assert (request.body, request.members["metadata"]) == (b"one", {"job": "1"})


@pytest.mark.parametrize(
    ("body_or_location", "members", "parameter"),
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
def test_submit_rejects_invalid_members_before_a_request(
    client, service, body_or_location, members, parameter
):
    named = {"endpoint": "speech", "idempotency_key": "one"} | members
    with pytest.raises(InvalidRequest) as raised:
        client.submit(named.pop("endpoint"), body_or_location, **named)
    assert raised.value.parameter == parameter
    assert service.requests == []


def test_submit_with_the_same_key_invokes_once(client, service):
    first, second = (client.submit("speech", b"x", idempotency_key="one") for _ in range(2))
    assert first == second
    assert len(service.invoked) == 1


@pytest.mark.parametrize("failure", [httpx.Response(503), httpx.Response(504), httpx.Response(429)])
def test_submit_retries_transient_failures_with_the_same_key(client, service, failure):
    service.failures = [failure] * 4
    client.submit("speech", b"x", idempotency_key="one")
    assert len(service.invoked) == 1
    assert {each["idempotency_key"] for each in sent_bodies(service)} == {"one"}
    service.failures = [failure] * 5
    with pytest.raises(ServiceUnavailable):
        client.submit("speech", b"x", idempotency_key="one")


def test_submit_invokes_once_if_responses_are_lost(client, service):
    service.lost_responses = 3
    client.submit("speech", b"x", idempotency_key="one")
    assert len(service.requests) == 4
    assert len(service.invoked) == 1


def test_submit_rejects_a_reused_key_and_names_its_inference(client, service):
    first = client.submit("speech", b"x", idempotency_key="one")
    with pytest.raises(IdempotencyKeyReused) as reused:
        client.submit("speech", b"y", idempotency_key="one")
    assert reused.value.inference_id == first.inference_id
    assert len(service.requests) == 2


def test_submit_does_not_retry_a_rejected_invocation(client, service):
    service.failures = [problem(Problem.INVOCATION_REJECTED, 400, code="ValidationError")]
    with pytest.raises(InvocationRejected, match="ValidationError") as raised:
        client.submit("speech", b"x", idempotency_key="one")
    assert (raised.value.code, raised.value.reason) == ("ValidationError", "the detail")
    assert len(service.requests) == 1


def test_submit_raises_what_the_service_expected(client, service):
    service.failures = [
        problem(Problem.INVALID_PARAMETER, 400, parameter="input", expected="1 to 128000 bytes")
    ]
    with pytest.raises(InvalidRequest, match="^input: expected 1 to 128000 bytes$"):
        client.submit("speech", b"x" * 200_000, idempotency_key="one")


def test_the_timeout_covers_a_slow_submission():
    api = Api.from_url("https://api.test")
    request = api.build_request(build_submission("speech", b"x", idempotency_key="one"))
    assert request.extensions["timeout"]["read"] > 30


# The encoding of the input


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
def test_an_input_is_sent_as_text_unless_base64_is_smaller(client, service, body, encoding):
    client.submit("speech", body, idempotency_key="one")
    assert sent_bodies(service)[0]["input"]["encoding"] == encoding
    assert service.invoked[0][1] == body


def test_base64_encodes_the_bytes():
    content = base64.b64encode(b"\xff\x00").decode()
    assert encode_input(b"\xff\x00") == {"encoding": "base64", "content": content}


def bytes_in_event(request):
    """API Gateway puts the body into the function's event as a JSON string."""
    return len(json.dumps({"body": request.content.decode()}))


@pytest.mark.parametrize("body", [b"\xff" * MAX_BINARY_BYTES, b"x" * 5_900_000, b'"x' * 2_100_000])
def test_a_large_input_is_sent_if_it_fits_in_the_event(client, service, body):
    client.submit("speech", body, idempotency_key="one")
    assert service.invoked[0][1] == body
    assert bytes_in_event(service.requests[0]) < 6 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * (MAX_BINARY_BYTES + 200_000),
        b"x" * MAX_REQUEST_BYTES,
        b"x" * (MAX_REQUEST_BYTES + 1),
        b'"x' * 2_300_000,
    ],
)
def test_an_input_that_does_not_fit_in_a_request_is_rejected(client, service, body):
    with pytest.raises(InvalidRequest, match="upload it to S3 and pass its location") as raised:
        client.submit("speech", body, idempotency_key="one")
    assert raised.value.parameter == "input"
    assert service.requests == []


# Secrets

SECRETS = {
    "custom_attributes": "SECRET-1",
    "metadata": {"SECRET-2": "SECRET-3"},
    "task_token": "SECRET-5",
}


def test_reprs_of_requests_contain_no_secrets():
    requests = [
        build_registration(RESPONSE, submitted_at=None, endpoint="speech", **SECRETS),
        build_submission("speech", b"SECRET-4", idempotency_key="one", **SECRETS),
    ]
    assert [type(each) for each in requests] == [Register, Submit]
    assert "SECRET" not in repr(requests)


def test_logs_and_errors_contain_no_secrets(client, service, caplog):
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
