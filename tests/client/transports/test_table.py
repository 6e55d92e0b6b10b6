"""Both clients on the table, without the HTTP API."""

import asyncio

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.adapters.table.results import ResultStore
from inference_results.client import AmbiguousInference as Ambiguous
from inference_results.client import (
    AsyncClient,
    Client,
    InferenceFailed,
    InvalidRequest,
    NoOutput,
    NotAuthorized,
    NotFound,
    OutputRemoved,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedResponse,
    WaitTimeout,
)
from inference_results.client.flows.requests import GetOutput, GetRecord, OutputLink
from inference_results.client.transports.table import TableBackend
from inference_results.domain.record import errors
from inference_results.domain.record.order import event_order
from inference_results.domain.record.result import Failure, Output, Result
from tests.client.service import BlockingAsyncClient

SHARDS = 2
NOON = "2026-01-01T12:00:00.000Z"


@pytest.fixture
def record(table_name):
    table = ResultStore(boto3.client("dynamodb"), table_name, SHARDS)

    def write(inference_id="one", status="Completed", endpoint_name="speech", **members):
        order = event_order(event_time=NOON, status=status, location=None, digest="a")
        values = {"recorded_at": NOON, "expires_at": 2_000_000_000} | members
        table.record(
            Result(
                inference_id=inference_id,
                endpoint_name=endpoint_name,
                status=status,
                event_time=NOON,
                event_order=order,
                **values,
            )
        )

    return write


@pytest.fixture(params=[Client, AsyncClient])
def client(request, table_name):
    client = request.param.on_table(table_name, shards=SHARDS)
    if isinstance(client, Client):
        with client:
            yield client
    else:
        blocking = BlockingAsyncClient(client)
        yield blocking
        blocking.close_loop()


def test_get_batch_get_and_list_return_records(client, record):
    failure = Failure(code="UNKNOWN", retryable=False)
    record("one")
    record("two", "Failed", failure=failure)
    assert client.get("one").status == "Completed"
    assert len(client.batch_get(["one", "two"]).inferences) == 2
    assert [each.inference_id for each in client.list(status="Failed")] == ["two"]
    assert len(list(client.list(endpoint="speech", page_size=1))) == 2


def test_waits_return_records_or_time_out(client, record):
    record("one")
    record("two")
    assert client.wait("one", 5).status == "Completed"
    assert set(client.wait_all(["one", "two"], 5)) == {"one", "two"}
    with pytest.raises(WaitTimeout):
        client.wait("three", 0.3)


def test_an_inline_output_is_read_from_the_record(client, record):
    record(output=Output(inline=b"[1]", size=3, content_type="application/json"))
    assert client.output("one") == b"[1]"
    assert client.parsed_output("one") == [1]


def test_output_of_a_failed_inference_raises_its_failure(client, record):
    record(status="Failed", failure=Failure(code="MODEL_TIMEOUT", retryable=True))
    with pytest.raises(InferenceFailed, match="MODEL_TIMEOUT"):
        client.output("one")


def test_missing_records_raise_the_same_errors_as_the_api(client, record):
    record("old", expires_at=1)
    record("twice")
    record("twice", endpoint_name="vision")
    with pytest.raises(NotFound):
        client.get("none")
    with pytest.raises(RecordExpired):
        client.get("old")
    with pytest.raises(Ambiguous) as ambiguous:
        client.get("twice")
    assert ambiguous.value.endpoints == ["speech", "vision"]
    with pytest.raises(InvalidRequest, match="status|endpoint"):
        next(client.list(status="Completed"))


def test_an_output_link_has_the_recorded_version(table_name, record):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    put = s3.put_object(Bucket="bucket", Key="a b.out", Body=b"[1]")
    location = {"location": "s3://bucket/a b.out", "bucket": "bucket", "key": "a b.out"}
    version = {"version_id": put["VersionId"], "etag": put["ETag"], "size": 3}
    record(output=Output(**location, **version))
    backend = TableBackend(table_name, shards=SHARDS)
    response = backend.send(GetOutput("one"))
    assert isinstance(response, OutputLink)
    assert f"versionId={put['VersionId']}" in response.url
    s3.delete_object(Bucket="bucket", Key="a b.out", VersionId=put["VersionId"])
    assert isinstance(backend.send(GetOutput("one")), OutputRemoved)
    backend.close()


def test_summary_needs_the_summaries_table(client):
    with pytest.raises(InvalidRequest, match="summaries_table_name"):
        client.summary("speech")


def test_a_missing_table_is_reported(aws):
    with Client.on_table("none", shards=1) as client, pytest.raises(InvalidRequest, match="table"):
        client.get("one")


def test_a_session_without_a_region_is_rejected(aws, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(InvalidRequest, match="session"):
        Client.on_table("inferences", shards=1)


class FailingUseCase:
    def __init__(self, error):
        self._error = error

    def __call__(self, *_arguments):
        raise self._error


def aws_error(code):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {}}, "Query")


@pytest.mark.parametrize(
    ("raised", "translated"),
    [
        (errors.Unavailable("dynamodb", "ThrottlingException"), ServiceUnavailable),
        (errors.InvalidParameter("endpoint", "less"), InvalidRequest),
        (errors.NoOutput("Failed"), NoOutput),
        (errors.ObjectDenied("AccessDenied", "no"), OutputUnavailable),
        (errors.ObjectReplaced("ObjectReplaced", "no"), OutputRemoved),
        (aws_error("AccessDeniedException"), NotAuthorized),
        (aws_error("ExpiredTokenException"), NotAuthorized),
        (aws_error("InvalidClientTokenId"), NotAuthorized),
        (aws_error("SignatureDoesNotMatch"), NotAuthorized),
        (aws_error("ValidationException"), InvalidRequest),
        (aws_error("SomethingNew"), UnexpectedResponse),
    ],
)
def test_errors_are_translated_to_client_errors(table_name, monkeypatch, raised, translated):
    backend = TableBackend(table_name, shards=SHARDS)
    monkeypatch.setattr(backend, "_wait_for_one", FailingUseCase(raised))
    response = backend.send(GetRecord("one"))
    assert type(response) is translated
    assert response.__cause__ is raised
    backend.close()


def test_a_table_of_another_service_is_reported(aws):
    key = {"AttributeName": "key", "KeyType": "HASH"}
    boto3.client("dynamodb").create_table(
        TableName="other",
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with Client.on_table("other", shards=1, summaries_table_name="other") as client:
        with pytest.raises(InvalidRequest, match="^table_name: "):
            client.get("one")
        with pytest.raises(InvalidRequest, match="^summaries_table_name: "):
            client.summary("speech")


def test_requests_to_the_table_do_not_block_the_event_loop(table_name, record):
    async def count_ticks():
        async with AsyncClient.on_table(table_name, shards=SHARDS) as client:
            waiting = asyncio.create_task(client.wait("none", 0.5))
            ticks = 0
            while not waiting.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert isinstance(waiting.exception(), WaitTimeout)
            return ticks

    assert asyncio.run(count_ticks()) > 10
