"""Both clients over the table itself, in process."""

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
from tests.client.service import InLoop

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
        in_loop = InLoop(client)
        yield in_loop
        in_loop.close_loop()


def test_records_are_found_alone_together_and_in_lists(client, record):
    failure = Failure(code="UNKNOWN", retryable=False)
    record("one")
    record("two", "Failed", failure=failure)
    assert client.get("one").status == "Completed"
    assert len(client.batch_get(["one", "two"]).inferences) == 2
    assert [each.inference_id for each in client.list(status="Failed")] == ["two"]
    assert len(list(client.list(endpoint="speech", page_size=1))) == 2


def test_waiting_is_the_same(client, record):
    record("one")
    record("two")
    assert client.wait("one", 5).status == "Completed"
    assert set(client.wait_all(["one", "two"], 5)) == {"one", "two"}
    with pytest.raises(WaitTimeout):
        client.wait("three", 0.3)


def test_an_output_that_is_only_in_the_record_is_read_from_it(client, record):
    record(output=Output(inline=b"[1]", size=3, content_type="application/json"))
    assert client.output("one") == b"[1]"
    assert client.parsed_output("one") == [1]


def test_a_failure_is_raised_for_its_output(client, record):
    record(status="Failed", failure=Failure(code="MODEL_TIMEOUT", retryable=True))
    with pytest.raises(InferenceFailed, match="MODEL_TIMEOUT"):
        client.output("one")


def test_what_the_table_has_not_is_told_as_by_the_api(client, record):
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


def test_an_output_in_s3_is_linked_to_in_its_version(table_name, record):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    put = s3.put_object(Bucket="bucket", Key="a b.out", Body=b"[1]")
    found = {"version_id": put["VersionId"], "etag": put["ETag"], "size": 3}
    place = {"location": "s3://bucket/a b.out", "bucket": "bucket", "key": "a b.out"}
    record(output=Output(**place, **found))
    backend = TableBackend(table_name, shards=SHARDS)
    reply = backend.reply(GetOutput("one"))
    assert isinstance(reply, OutputLink)
    assert f"versionId={put['VersionId']}" in reply.url
    s3.delete_object(Bucket="bucket", Key="a b.out", VersionId=put["VersionId"])
    assert isinstance(backend.reply(GetOutput("one")), OutputRemoved)
    backend.close()


def test_without_their_table_there_are_no_summaries(client):
    with pytest.raises(InvalidRequest, match="summaries_table_name"):
        client.summary("speech")


def test_a_table_that_does_not_exist_is_told(aws):
    with Client.on_table("none", shards=1) as client, pytest.raises(InvalidRequest, match="table"):
        client.get("one")


def test_a_session_without_a_region_is_refused(aws, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(InvalidRequest, match="session"):
        Client.on_table("inferences", shards=1)


class Failing:
    """A use case that fails."""

    def __init__(self, error):
        self._error = error

    def __call__(self, *_arguments):
        raise self._error


def aws_refuses(code):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {}}, "Query")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (errors.Unavailable("dynamodb", "ThrottlingException"), ServiceUnavailable),
        (errors.InvalidParameter("endpoint", "less"), InvalidRequest),
        (errors.NoOutput("Failed"), NoOutput),
        (errors.ObjectDenied("AccessDenied", "no"), OutputUnavailable),
        (errors.ObjectReplaced("ObjectReplaced", "no"), OutputRemoved),
        (aws_refuses("AccessDeniedException"), NotAuthorized),
        (aws_refuses("ExpiredTokenException"), NotAuthorized),
        (aws_refuses("InvalidClientTokenId"), NotAuthorized),
        (aws_refuses("SignatureDoesNotMatch"), NotAuthorized),
        (aws_refuses("ValidationException"), InvalidRequest),
        (aws_refuses("SomethingNew"), UnexpectedResponse),
    ],
)
def test_what_goes_wrong_in_process_is_told_as_by_the_api(table_name, monkeypatch, raised, told):
    backend = TableBackend(table_name, shards=SHARDS)
    monkeypatch.setattr(backend, "_await_one", Failing(raised))
    reply = backend.reply(GetRecord("one"))
    assert type(reply) is told
    assert reply.__cause__ is raised
    backend.close()


def test_a_table_of_another_service_is_told(aws):
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


def test_an_event_loop_goes_on_while_the_table_is_asked(table_name, record):
    async def ask():
        async with AsyncClient.on_table(table_name, shards=SHARDS) as client:
            waiting = asyncio.create_task(client.wait("none", 0.5))
            ticks = 0
            while not waiting.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert isinstance(waiting.exception(), WaitTimeout)
            return ticks

    assert asyncio.run(ask()) > 10
