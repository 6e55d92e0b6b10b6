"""Both clients submit and register on the table itself, in process."""

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
from tests.client.service import InLoop

SHARDS = 2
INPUTS = "s3://inputs/async/"
LARGE = b"x" * 128_001
ANSWER = {
    "InferenceId": "chosen",
    "OutputLocation": "s3://outputs/1.out",
    "FailureLocation": "s3://outputs/failures/1.out",
    "ResponseMetadata": {"HTTPHeaders": {"date": "Sun, 25 Jan 2026 12:00:00 GMT"}},
}


class Session(boto3.Session):
    """Its client of SageMaker answers from a stub."""

    def __init__(self):
        super().__init__()
        self.made = []
        self.sagemaker = super().client("sagemaker-runtime")
        self.answers = Stubber(self.sagemaker)
        self.answers.activate()

    def client(self, name, **options):
        self.made.append(name)
        if name == "sagemaker-runtime":
            assert options["config"].retries["total_max_attempts"] == 1
            return self.sagemaker
        return super().client(name, **options)

    def answers_once(self, **expected):
        told = {"EndpointName": "speech", "InferenceId": ANY} | expected
        self.answers.add_response("invoke_endpoint_async", ANSWER, told)

    def refuses_once(self, code, status):
        self.answers.add_client_error("invoke_endpoint_async", code, "why", status)


@pytest.fixture
def session(table_name):
    session = Session()
    yield session
    session.answers.assert_no_pending_responses()


@contextmanager
def opened(kind, table_name, **options):
    client = kind.on_table(table_name, shards=SHARDS, **options)
    if isinstance(client, Client):
        with client:
            yield client
    else:
        in_loop = InLoop(client)
        yield in_loop
        in_loop.close_loop()


@pytest.fixture(params=[Client, AsyncClient])
def kind(request):
    return request.param


@pytest.fixture
def client(kind, table_name, session):
    with opened(kind, table_name, session=session, input_prefix=INPUTS) as client:
        yield client


@pytest.fixture
def inputs(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="inputs")
    return s3


def test_an_input_is_sent_to_the_endpoint_and_the_record_kept(client, session):
    session.answers_once(
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


def test_a_task_token_is_kept_beside_those_of_others(client, session, table_name):
    session.answers_once(Body=b"x")
    for token in ("one", "two"):
        submitted = client.submit("speech", b"x", idempotency_key="one", task_token=token)
    client.register(ANSWER, endpoint="speech", task_token="three")
    (chosen, keyed) = sorted(
        boto3.client("dynamodb").scan(TableName=table_name)["Items"],
        key=lambda item: item["inference_id"]["S"],
    )
    assert chosen["task_tokens"] == {"SS": ["three"]}
    assert sorted(keyed["task_tokens"]["SS"]) == ["one", "two"]
    assert "task_token" not in repr(submitted.raw)


def test_the_same_call_again_invokes_nothing(client, session):
    session.answers_once(InputLocation="s3://inputs/in/1")
    first, second = (
        client.submit("speech", "s3://inputs/in/1", idempotency_key="one") for _ in range(2)
    )
    assert first == second
    with pytest.raises(IdempotencyKeyReused) as reused:
        client.submit("speech", "s3://inputs/in/2", idempotency_key="one")
    assert reused.value.inference_id == first.inference_id


@pytest.mark.parametrize("prefix", [INPUTS, INPUTS.rstrip("/")])
def test_a_large_input_is_put_below_the_prefix(kind, table_name, session, inputs, prefix):
    with opened(kind, table_name, session=session, input_prefix=prefix) as client:
        session.answers_once(InputLocation=ANY, ContentType="audio/wav")
        record = client.submit("speech", LARGE, idempotency_key="one", content_type="audio/wav")
    key = record.input_location.removeprefix("s3://inputs/")
    assert key.startswith(f"async/{record.inference_id}/")
    put = inputs.get_object(Bucket="inputs", Key=key)
    assert (put["Body"].read(), put["ContentType"]) == (LARGE, "audio/wav")


def test_a_large_input_needs_the_prefix(kind, table_name, session):
    with (
        opened(kind, table_name, session=session) as client,
        pytest.raises(InvalidRequest, match="^input: "),
    ):
        client.submit("speech", LARGE, idempotency_key="one")


def refused(client, session, error):
    """The same call is refused, leaves no record, and works the next time."""
    with pytest.raises(error) as raised:
        client.submit("speech", b"x", idempotency_key="one")
    session.answers_once(Body=b"x")
    record = client.submit("speech", b"x", idempotency_key="one")
    assert record.submission
    return raised.value


def test_what_sagemaker_refuses_may_be_said_again(client, session):
    session.refuses_once("ValidationError", 400)
    error = refused(client, session, InvocationRejected)
    assert (error.code, error.reason) == ("ValidationError", "why")


def test_who_may_not_invoke_is_told(client, session):
    session.refuses_once("AccessDeniedException", 403)
    refused(client, session, NotAuthorized)


def test_an_endpoint_that_is_throttled_is_tried_again(client, session):
    session.refuses_once("ThrottlingException", 429)
    session.answers_once(Body=b"x")
    assert client.submit("speech", b"x", idempotency_key="one").submission


def test_an_older_botocore_is_told_and_nothing_stays_in_progress(client, session):
    shape = session.sagemaker.meta.service_model.operation_model("InvokeEndpointAsync").input_shape
    limit = shape.members.pop("InvocationTimeoutSeconds")
    session.answers.deactivate()
    request = {"idempotency_key": "one", "invocation_timeout_seconds": 5}
    with pytest.raises(InvocationRejected, match="ParamValidationError"):
        client.submit("speech", b"x", **request)
    session.answers.activate()
    shape.members["InvocationTimeoutSeconds"] = limit
    session.answers_once(Body=b"x", InvocationTimeoutSeconds=5)
    assert client.submit("speech", b"x", **request).submission


def test_an_invocation_without_an_answer_stays_in_progress_and_is_not_made_again(
    client, session, monkeypatch
):
    calls = []

    def silent(**request):
        calls.append(request)
        raise ReadTimeoutError(endpoint_url="https://runtime")

    monkeypatch.setattr(session.sagemaker, "invoke_endpoint_async", silent)
    # The second waits for an answer to the first, in pauses.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    first, second = (client.submit("speech", b"x", idempotency_key="one") for _ in range(2))
    assert first == second
    assert (first.status, first.submission) == ("InProgress", None)
    assert len(calls) == 1


def test_a_bucket_that_is_not_there_is_told_and_nothing_stays_in_progress(client, session, inputs):
    inputs.delete_bucket(Bucket="inputs")
    with pytest.raises(InvalidRequest, match="^input_prefix: "):
        client.submit("speech", LARGE, idempotency_key="one")
    inputs.create_bucket(Bucket="inputs")
    session.answers_once(InputLocation=ANY)
    assert client.submit("speech", LARGE, idempotency_key="one").submission


class LosingFirstAnswers:
    """DynamoDB does what it is told, but the first answer to an update is lost: it is tried again.

    As it is told by events of the client, below which moto answers.
    """

    def __init__(self):
        self.lost = 0

    def __call__(self, attempts, operation, **_):
        if operation.name == "UpdateItem" and attempts == 1:
            self.lost += 1
            return 0
        return None


@pytest.mark.parametrize("body", [b"x", LARGE])
def test_a_write_whose_answer_is_lost_is_known_again(kind, table_name, session, inputs, body):
    losing = LosingFirstAnswers()
    session.events.register_first("needs-retry.dynamodb", losing)
    session.answers_once(**{"Body" if body == b"x" else "InputLocation": ANY})
    with opened(kind, table_name, session=session, input_prefix=INPUTS) as client:
        record = client.submit("speech", body, idempotency_key="one")
    assert losing.lost >= 2
    assert record.submission


def test_an_invocation_is_registered_before_and_after_its_result(client):
    first, second = (
        client.register(ANSWER, endpoint="speech", metadata={"job": "7"}) for _ in range(2)
    )
    assert first == second == client.get("chosen")
    assert first.submitted_at == datetime(2026, 1, 25, 12, tzinfo=UTC)
    assert first.submission == PromisedLocations(
        output_location="s3://outputs/1.out", failure_location="s3://outputs/failures/1.out"
    )
    assert first.caller_metadata == {"job": "7"}


def test_a_registration_makes_no_client_of_sagemaker(client, session):
    client.register(ANSWER, endpoint="speech")
    with pytest.raises(NotFound):
        client.get("none")
    assert "sagemaker-runtime" not in session.made
    for key in ("one", "two"):
        session.answers_once(Body=b"x")
        client.submit("speech", b"x", idempotency_key=key)
    assert session.made.count("sagemaker-runtime") == 1


def test_records_stay_for_as_long_as_is_said(kind, table_name, session):
    with opened(kind, table_name, session=session, retention_days=7) as client:
        record = client.register(ANSWER, endpoint="speech", submitted_at=datetime.now(UTC))
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
def test_what_no_table_can_be_opened_with_is_refused(kind, table_name, options, parameter):
    with pytest.raises(InvalidRequest) as refused:
        kind.on_table(table_name, shards=SHARDS, **options)
    assert refused.value.parameter == parameter


def test_a_table_that_does_not_exist_is_told(aws):
    with Client.on_table("none", shards=1) as client, pytest.raises(InvalidRequest, match="table"):
        client.register(ANSWER, endpoint="speech")
