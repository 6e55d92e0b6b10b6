"""The Python client on the deployed system, over HTTP and on the table."""

import asyncio
import threading
import time
import uuid

import boto3
import pytest

from inference_results.client import (
    AmbiguousInference,
    AsyncClient,
    Client,
    InferenceExpired,
    InferenceFailed,
    InvalidRequest,
    NotAuthorized,
    NotFound,
    OutputRemoved,
    OutputTooLarge,
    WaitTimeout,
)
from inference_results.contract import StackOutput
from local.embedded_aws import NAME
from local.environment import EXECUTION_ROLE, READER_ROLE
from local.processes import Processes


@pytest.fixture(params=["over HTTP", "on the table"])
def client(request, outputs):
    """Over HTTP, with a role that can only query the API; on the table, with the root user."""
    if request.param == "over HTTP":
        session = boto3.Session(profile_name=READER_ROLE)
        client = Client(outputs[StackOutput.API_URL], session=session)
    else:
        client = Client.on_table(
            outputs[StackOutput.TABLE_NAME],
            shards=int(outputs[StackOutput.SHARDS]),
            summaries_table_name=outputs[StackOutput.SUMMARIES_TABLE_NAME],
        )
    with client:
        yield client


def test_get_output_replaces_a_polling_loop(client, invoke):
    assert client.get_output(invoke(b"hello"), timeout=30) == b"hello"


@pytest.mark.parametrize(
    ("custom_attributes", "error", "code", "retryable"),
    [
        ("simulate-failure=400", InferenceFailed, "MODEL_ERROR_4XX", False),
        ("simulate-failure=0", InferenceFailed, "MODEL_TIMEOUT", True),
        ("simulate-expiry", InferenceExpired, "EXPIRED", True),
    ],
)
def test_get_output_raises_the_failure(client, invoke, custom_attributes, error, code, retryable):
    with pytest.raises(error) as failed:
        client.get_output(invoke(custom_attributes=custom_attributes), timeout=30)
    assert (failed.value.code, failed.value.retryable) == (code, retryable)


def test_get_output_times_out_if_no_result_arrives(client, invoke):
    started = time.monotonic()
    with pytest.raises(WaitTimeout):
        client.get_output(invoke(custom_attributes="simulate-silence"), timeout=2)
    assert time.monotonic() - started < 10


def test_a_large_output_is_streamed_to_a_file(client, invoke, tmp_path):
    content = bytes(range(256)) * 40_000
    inference_id = invoke(content)["InferenceId"]
    client.wait(inference_id, 30)
    calls = []
    target = tmp_path / "output"
    size = client.save_output(inference_id, target, progress=lambda *each: calls.append(each))
    assert (size, target.read_bytes()) == (len(content), content)
    assert calls[-1] == (len(content), len(content))
    with pytest.raises(OutputTooLarge):
        client.output(inference_id, max_bytes=1_000_000)


def test_an_output_is_parsed_by_its_content_type(client, invoke):
    inference_id = invoke(b'{"text": "caf\xc3\xa9"}', ContentType="application/json")["InferenceId"]
    client.wait(inference_id, 30)
    assert client.parsed_output(inference_id) == {"text": "café"}


def test_a_removed_output_raises_output_removed(client, invoke):
    record = client.wait(invoke(b"hello")["InferenceId"], 30)
    output = record.output
    boto3.client("s3").delete_object(
        Bucket=output.bucket, Key=output.key, VersionId=output.version_id
    )
    with pytest.raises(OutputRemoved):
        client.output(record.inference_id)
    assert client.get(record.inference_id) == record


def test_invalid_requests_raise_specific_errors(client, invoke):
    with pytest.raises(NotFound):
        client.get(str(uuid.uuid4()))
    with pytest.raises(InvalidRequest, match="status: expected one of"):
        list(client.list(status="Preempted"))
    with pytest.raises(InvalidRequest, match="inference_id: expected|id: expected"):
        client.get("x" * 65)
    failed = client.wait(invoke(custom_attributes="simulate-failure=500")["InferenceId"], 30)
    with pytest.raises(InferenceFailed):
        client.output(failed.inference_id)


def test_an_id_on_two_endpoints_requires_an_endpoint(client, invoke):
    inference_id = f"a/b?c #1% {uuid.uuid4().hex[:8]}"
    for endpoint in ("speech", "vision"):
        invoke(endpoint.encode(), InferenceId=inference_id, EndpointName=endpoint)
        client.wait(inference_id, 30, endpoint=endpoint)
    with pytest.raises(AmbiguousInference) as ambiguous:
        client.get(inference_id)
    assert ambiguous.value.endpoints == ["speech", "vision"]
    assert client.output(inference_id, endpoint="vision") == b"vision"


def test_many_inferences_are_awaited_listed_and_counted(client, invoke):
    endpoint = f"many-{uuid.uuid4().hex[:8]}"
    attributes = ["", "simulate-delay=1", "simulate-failure=500", "simulate-expiry"] * 5
    ids = [
        invoke(custom_attributes=each, EndpointName=endpoint)["InferenceId"] for each in attributes
    ]
    completed_ids = [each.inference_id for each in client.as_completed(ids, 60)]
    assert sorted(completed_ids) == sorted(ids)
    calls = []
    ended = client.wait_all(ids, 60, progress=lambda done, total: calls.append((done, total)))
    assert list(ended) == ids
    assert calls[-1] == (20, 20)
    batch = client.batch_get([*ids, "none"])
    assert [each.inference_id for each in batch.missing] == ["none"]
    assert {each.inference_id for each in client.list(endpoint=endpoint, page_size=7)} == set(ids)
    expired = client.list(endpoint=endpoint, status="Expired")
    assert {each.inference_id for each in expired} == set(ids[3::4])
    deadline = time.monotonic() + 20
    counts = {}
    while sum(counts.values()) < 20 and time.monotonic() < deadline:
        days = client.summary(endpoint)
        counts = days[0].counts if days else {}
    assert counts == {"Completed": 10, "Failed": 5, "Expired": 5}


def test_the_async_client_waits_concurrently(outputs, invoke):
    ids = [invoke(str(number).encode())["InferenceId"] for number in range(5)]

    async def wait_and_read():
        async with AsyncClient(outputs[StackOutput.API_URL]) as client:
            await client.wait_all(ids, 30)
            return await asyncio.gather(*(client.output(each) for each in ids))

    assert asyncio.run(wait_and_read()) == [b"0", b"1", b"2", b"3", b"4"]


def test_an_unauthorized_caller_gets_an_error_at_once(outputs):
    session = boto3.Session(profile_name=EXECUTION_ROLE)
    started = time.monotonic()
    with (
        Client(outputs[StackOutput.API_URL], session=session) as client,
        pytest.raises(NotAuthorized, match="access denied"),
    ):
        client.wait("one", 60)
    assert time.monotonic() - started < 20


def test_a_wait_survives_killed_functions(folder, outputs, invoke):
    """All functions are killed, including those that record results."""
    inference_id = invoke(b"hello", "simulate-delay=4")["InferenceId"]
    killed = []

    def kill_functions():
        process = Processes(folder.path).process(NAME)
        for child in process.children(recursive=True):
            child.kill()
            killed.append(child.pid)

    timer = threading.Timer(2, kill_functions)
    timer.start()
    with Client(outputs[StackOutput.API_URL]) as client:
        started = time.monotonic()
        assert client.wait(inference_id, 60).status == "Completed"
        assert 4 < time.monotonic() - started < 60
    timer.join()
    assert killed
