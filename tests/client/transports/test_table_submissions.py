"""Submit and register with both clients on the table, without the HTTP API."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import ANY, Stubber

from inference_results.client import (
    AsyncClient,
    Client,
    IdempotencyKeyReused,
    InvalidRequest,
    InvocationRejected,
    NotAuthorized,
    NotFound,
    PromisedLocations,
)
from tests.client.service import BlockingAsyncClient

SHARDS = 2
INPUTS = "s3://inputs/async/"
LARGE = b"x" * 128_001
RESPONSE = {
    "InferenceId": "chosen",
    "OutputLocation": "s3://outputs/1.out",
    "FailureLocation": "s3://outputs/failures/1.out",
    "ResponseMetadata": {"HTTPHeaders": {"date": "Sun, 25 Jan 2026 12:00:00 GMT"}},
}


class Session(boto3.Session):
    """A session whose SageMaker client is stubbed. `created` holds the names of all clients."""

    def __init__(self):
        super().__init__()
        self.created = []
        self.sagemaker = super().client("sagemaker-runtime")
        self.stubber = Stubber(self.sagemaker)
        self.stubber.activate()

    def client(self, name, **options):
        self.created.append(name)
        if name == "sagemaker-runtime":
            assert options["config"].retries["total_max_attempts"] == 1
            return self.sagemaker
        return super().client(name, **options)

    def add_response(self, **expected):
        parameters = {"EndpointName": "speech", "InferenceId": ANY} | expected
        self.stubber.add_response("invoke_endpoint_async", RESPONSE, parameters)

    def add_error(self, code, status):
        self.stubber.add_client_error("invoke_endpoint_async", code, "the reason", status)


@pytest.fixture
def session(table_name):
    session = Session()
    yield session
    session.stubber.assert_no_pending_responses()


@contextmanager
def open_client(kind, table_name, **options):
    client = kind.on_table(table_name, shards=SHARDS, **options)
    if isinstance(client, Client):
        with client:
            yield client
    else:
        blocking = BlockingAsyncClient(client)
        yield blocking
        blocking.close_loop()


@pytest.fixture(params=[Client, AsyncClient])
def kind(request):
    return request.param


@pytest.fixture
def client(kind, table_name, session):
    with open_client(kind, table_name, session=session, input_prefix=INPUTS) as client:
        yield client


@pytest.fixture
def inputs(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="inputs")
    return s3


def test_submit_invokes_the_endpoint_and_stores_the_record(client, session):
    session.add_response(
        Body=b"[1]",
        ContentType="application/json",
        Accept="text/csv",
        CustomAttributes="trace=1",
        RequestTTLSeconds=60,
        InvocationTimeoutSeconds=30,
    )
    submitted = client.submit(
        "speech",
        b"[1]",
        idempotency_key="one",
        metadata={"job": "7"},
        content_type="application/json",
        accept="text/csv",
        custom_attributes="trace=1",
        request_ttl_seconds=60,
        invocation_timeout_seconds=30,
    )
    assert submitted.status == "InProgress"
    assert submitted.submission == PromisedLocations(
        output_location="s3://outputs/1.out", failure_location="s3://outputs/failures/1.out"
    )
    assert submitted.caller_metadata == {"job": "7"}
    assert submitted.submitted_at == datetime(2026, 1, 25, 12, tzinfo=UTC)
    assert client.get(submitted.inference_id) == submitted


def test_task_tokens_are_added_to_the_record(client, session, table_name):
    session.add_response(Body=b"x")
    for token in ("one", "two"):
        submitted = client.submit("speech", b"x", idempotency_key="one", task_token=token)
    client.register(RESPONSE, endpoint="speech", task_token="three")
    (chosen, keyed) = sorted(
        boto3.client("dynamodb").scan(TableName=table_name)["Items"],
        key=lambda item: item["inference_id"]["S"],
    )
    assert chosen["task_tokens"] == {"SS": ["three"]}
    assert sorted(keyed["task_tokens"]["SS"]) == ["one", "two"]
    assert "task_token" not in repr(submitted.raw)


def test_the_same_call_invokes_once(client, session):
    session.add_response(InputLocation="s3://inputs/in/1")
    first, second = (
        client.submit("speech", "s3://inputs/in/1", idempotency_key="one") for _ in range(2)
    )
    assert first == second
    with pytest.raises(IdempotencyKeyReused) as reused:
        client.submit("speech", "s3://inputs/in/2", idempotency_key="one")
    assert reused.value.inference_id == first.inference_id


@pytest.mark.parametrize("prefix", [INPUTS, INPUTS.rstrip("/")])
def test_a_large_input_is_uploaded_below_the_prefix(kind, table_name, session, inputs, prefix):
    with open_client(kind, table_name, session=session, input_prefix=prefix) as client:
        session.add_response(InputLocation=ANY, ContentType="audio/wav")
        record = client.submit("speech", LARGE, idempotency_key="one", content_type="audio/wav")
    key = record.input_location.removeprefix("s3://inputs/")
    assert key.startswith(f"async/{record.inference_id}/")
    uploaded = inputs.get_object(Bucket="inputs", Key=key)
    assert (uploaded["Body"].read(), uploaded["ContentType"]) == (LARGE, "audio/wav")


def test_a_large_input_needs_a_prefix(kind, table_name, session):
    with (
        open_client(kind, table_name, session=session) as client,
        pytest.raises(InvalidRequest, match="^input: "),
    ):
        client.submit("speech", LARGE, idempotency_key="one")


def submit_twice(client, session, error):
    """Check that the first call raises and leaves no record, so that a repeated call invokes."""
    with pytest.raises(error) as raised:
        client.submit("speech", b"x", idempotency_key="one")
    session.add_response(Body=b"x")
    record = client.submit("speech", b"x", idempotency_key="one")
    assert record.submission
    return raised.value


def test_a_rejected_invocation_can_be_repeated(client, session):
    session.add_error("ValidationError", 400)
    error = submit_twice(client, session, InvocationRejected)
    assert (error.code, error.reason) == ("ValidationError", "the reason")


def test_denied_access_to_the_endpoint_is_reported(client, session):
    session.add_error("AccessDeniedException", 403)
    submit_twice(client, session, NotAuthorized)


def test_a_throttled_invocation_is_retried(client, session):
    session.add_error("ThrottlingException", 429)
    session.add_response(Body=b"x")
    assert client.submit("speech", b"x", idempotency_key="one").submission


def test_an_unknown_parameter_of_botocore_is_reported_and_leaves_no_record(client, session):
    shape = session.sagemaker.meta.service_model.operation_model("InvokeEndpointAsync").input_shape
    limit = shape.members.pop("InvocationTimeoutSeconds")
    session.stubber.deactivate()
    request = {"idempotency_key": "one", "invocation_timeout_seconds": 5}
    with pytest.raises(InvocationRejected, match="ParamValidationError"):
        client.submit("speech", b"x", **request)
    session.stubber.activate()
    shape.members["InvocationTimeoutSeconds"] = limit
    session.add_response(Body=b"x", InvocationTimeoutSeconds=5)
    assert client.submit("speech", b"x", **request).submission


def test_an_invocation_without_a_response_stays_in_progress_and_is_not_repeated(
    client, session, monkeypatch
):
    calls = []

    def time_out(**request):
        calls.append(request)
        raise ReadTimeoutError(endpoint_url="https://runtime")

    monkeypatch.setattr(session.sagemaker, "invoke_endpoint_async", time_out)
    # The second call polls for the response to the first.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    first, second = (client.submit("speech", b"x", idempotency_key="one") for _ in range(2))
    assert first == second
    assert (first.status, first.submission) == ("InProgress", None)
    assert len(calls) == 1


def test_a_missing_bucket_is_reported_and_leaves_no_record(client, session, inputs):
    inputs.delete_bucket(Bucket="inputs")
    with pytest.raises(InvalidRequest, match="^input_prefix: "):
        client.submit("speech", LARGE, idempotency_key="one")
    inputs.create_bucket(Bucket="inputs")
    session.add_response(InputLocation=ANY)
    assert client.submit("speech", LARGE, idempotency_key="one").submission


class LoseFirstResponses:
    """Makes botocore retry the first attempt of each UpdateItem, which DynamoDB has carried out."""

    def __init__(self):
        self.lost = 0

    def __call__(self, attempts, operation, **_):
        if operation.name == "UpdateItem" and attempts == 1:
            self.lost += 1
            return 0
        return None


@pytest.mark.parametrize("body", [b"x", LARGE])
def test_a_retried_write_recognizes_its_own_record(kind, table_name, session, inputs, body):
    lose_responses = LoseFirstResponses()
    session.events.register_first("needs-retry.dynamodb", lose_responses)
    session.add_response(**{"Body" if body == b"x" else "InputLocation": ANY})
    with open_client(kind, table_name, session=session, input_prefix=INPUTS) as client:
        record = client.submit("speech", body, idempotency_key="one")
    assert lose_responses.lost >= 2
    assert record.submission


def test_register_is_idempotent(client):
    first, second = (
        client.register(RESPONSE, endpoint="speech", metadata={"job": "7"}) for _ in range(2)
    )
    assert first == second == client.get("chosen")
    assert first.submitted_at == datetime(2026, 1, 25, 12, tzinfo=UTC)
    assert first.submission == PromisedLocations(
        output_location="s3://outputs/1.out", failure_location="s3://outputs/failures/1.out"
    )
    assert first.caller_metadata == {"job": "7"}


def test_register_creates_no_sagemaker_client(client, session):
    client.register(RESPONSE, endpoint="speech")
    with pytest.raises(NotFound):
        client.get("none")
    assert "sagemaker-runtime" not in session.created
    for key in ("one", "two"):
        session.add_response(Body=b"x")
        client.submit("speech", b"x", idempotency_key=key)
    assert session.created.count("sagemaker-runtime") == 1


def test_records_expire_after_the_retention(kind, table_name, session):
    with open_client(kind, table_name, session=session, retention_days=7) as client:
        record = client.register(RESPONSE, endpoint="speech", submitted_at=datetime.now(UTC))
    assert record.expires_at == record.deadline.replace(microsecond=0) + timedelta(days=7)


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": 3651}, "retention_days"),
        ({"input_prefix": "inputs/async"}, "input_prefix"),
        ({"input_prefix": ""}, "input_prefix"),
    ],
)
def test_invalid_options_are_rejected(kind, table_name, options, parameter):
    with pytest.raises(InvalidRequest) as raised:
        kind.on_table(table_name, shards=SHARDS, **options)
    assert raised.value.parameter == parameter


def test_a_missing_table_is_reported(aws):
    with Client.on_table("none", shards=1) as client, pytest.raises(InvalidRequest, match="table"):
        client.register(RESPONSE, endpoint="speech")
