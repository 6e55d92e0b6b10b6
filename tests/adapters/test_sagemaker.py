from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from inference_results.adapters.sagemaker import INVOKE_CONFIG, AsyncEndpoints, response_time
from inference_results.domain.record.errors import (
    InvocationRejected,
    InvocationUnconfirmed,
    Unavailable,
)
from inference_results.domain.submissions.invocation import Invocation

RESPONSE = {"InferenceId": "one", "OutputLocation": "s3://bucket/out"}
DATE = {"date": "Sun, 25 Jan 2026 12:00:00 GMT"}


@pytest.fixture
def client(aws):
    return boto3.client("sagemaker-runtime", config=INVOKE_CONFIG)


def invocation(**changes):
    members = {
        "inference_id": "one",
        "endpoint_name": "speech",
        "body": None,
        "input_location": "s3://bucket/in",
        "content_type": None,
        "accept": None,
        "custom_attributes": None,
        "request_ttl_seconds": None,
        "invocation_timeout_seconds": None,
    }
    return Invocation(**members | changes)


def stubbed(client, response=RESPONSE, expected=None, headers=DATE):
    stub = Stubber(client)
    metadata = {"ResponseMetadata": {"HTTPStatusCode": 202, "HTTPHeaders": headers}}
    stub.add_response("invoke_endpoint_async", response | metadata, expected)
    return stub


def test_an_invocation_passes_all_parameters(client):
    expected = {
        "EndpointName": "speech",
        "InferenceId": "one",
        "Body": b"hello",
        "ContentType": "text/plain",
        "Accept": "text/csv",
        "CustomAttributes": "tenant=acme",
        "RequestTTLSeconds": 60,
        "InvocationTimeoutSeconds": 1,
    }
    request = invocation(
        body=b"hello",
        input_location=None,
        content_type="text/plain",
        accept="text/csv",
        custom_attributes="tenant=acme",
        request_ttl_seconds=60,
        invocation_timeout_seconds=1,
    )
    with stubbed(client, RESPONSE | {"FailureLocation": "s3://bucket/failed"}, expected):
        response = AsyncEndpoints(client).invoke(request)
    assert response.output_location == "s3://bucket/out"
    assert response.failure_location == "s3://bucket/failed"
    assert response.invoked_at == datetime(2026, 1, 25, 12, 0, tzinfo=UTC)


def test_a_request_can_include_the_input_if_botocore_knows_the_body(client):
    assert AsyncEndpoints(client).max_body_bytes == 128_000
    del client.meta.service_model.operation_model("InvokeEndpointAsync").input_shape.members["Body"]
    assert AsyncEndpoints(client).max_body_bytes == 0


def test_missing_parameters_are_not_sent(client):
    expected = {"EndpointName": "speech", "InferenceId": "one", "InputLocation": "s3://bucket/in"}
    with stubbed(client, expected=expected):
        assert AsyncEndpoints(client).invoke(invocation()).failure_location is None


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_without_a_date_header_the_local_clock_is_used(client, headers):
    before = datetime.now(UTC)
    with stubbed(client, headers=headers):
        response = AsyncEndpoints(client).invoke(invocation())
    assert before <= response.invoked_at <= datetime.now(UTC)
    assert response_time({"HTTPHeaders": headers}) is None


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ValidationError", 400, InvocationRejected),
        ("AccessDeniedException", 403, InvocationRejected),
        ("ThrottlingException", 400, Unavailable),
        ("TooManyRequestsException", 429, Unavailable),
        ("ServiceUnavailable", 503, Unavailable),
        ("InternalFailure", 500, InvocationUnconfirmed),
        ("BadGateway", 502, InvocationUnconfirmed),
        ("GatewayTimeout", 504, InvocationUnconfirmed),
    ],
)
def test_an_error_response_shows_whether_anything_was_invoked(client, code, status, error):
    with Stubber(client) as stub:
        stub.add_client_error("invoke_endpoint_async", code, http_status_code=status)
        with pytest.raises(error):
            AsyncEndpoints(client).invoke(invocation())
        stub.assert_no_pending_responses()


URL = {"endpoint_url": "https://runtime.sagemaker"}


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (EndpointConnectionError(**URL), Unavailable),
        (ConnectTimeoutError(**URL), Unavailable),
        (ReadTimeoutError(**URL), InvocationUnconfirmed),
        (ConnectionClosedError(**URL), InvocationUnconfirmed),
        (ResponseParserError("cut off"), InvocationUnconfirmed),
        (NoCredentialsError(), InvocationRejected),
    ],
)
def test_sagemaker_is_called_once_even_if_the_response_is_lost(client, raised, error):
    """If botocore retried after a timeout, it could invoke the endpoint twice."""
    calls = []

    def fail(**_):
        calls.append(1)
        raise raised

    client.meta.events.register("before-send.sagemaker-runtime.*", fail)
    with pytest.raises(error):
        AsyncEndpoints(client).invoke(invocation())
    assert len(calls) == 1
