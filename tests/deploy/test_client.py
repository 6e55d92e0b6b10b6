"""The client on the deployed system: the way of a downstream service, through everything."""

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
    """The API is asked by a role that may do nothing else; the table by its owner."""
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


def test_the_output_of_an_invocation_replaces_the_polling_loop(client, invoke):
    assert client.get_output(invoke(b"hello"), timeout=30) == b"hello"


@pytest.mark.parametrize(
    ("wishes", "error", "code", "retryable"),
    [
        ("simulate-failure=400", InferenceFailed, "MODEL_ERROR_4XX", False),
        ("simulate-failure=0", InferenceFailed, "MODEL_TIMEOUT", True),
        ("simulate-expiry", InferenceExpired, "EXPIRED", True),
    ],
)
def test_a_wait_for_an_output_ends_with_the_failure(client, invoke, wishes, error, code, retryable):
    with pytest.raises(error) as failed:
        client.get_output(invoke(wishes=wishes), timeout=30)
    assert (failed.value.code, failed.value.retryable) == (code, retryable)


def test_a_wait_for_what_never_comes_ends_with_the_timeout(client, invoke):
    begun = time.monotonic()
    with pytest.raises(WaitTimeout):
        client.get_output(invoke(wishes="simulate-silence"), timeout=2)
    assert time.monotonic() - begun < 10


def test_an_output_of_many_megabytes_is_saved_whole_and_not_taken_into_memory(
    client, invoke, tmp_path
):
    content = bytes(range(256)) * 40_000
    inference_id = invoke(content)["InferenceId"]
    client.wait(inference_id, 30)
    told = []
    target = tmp_path / "output"
    size = client.save_output(inference_id, target, progress=lambda *each: told.append(each))
    assert (size, target.read_bytes()) == (len(content), content)
    assert told[-1] == (len(content), len(content))
    with pytest.raises(OutputTooLarge):
        client.output(inference_id, max_bytes=1_000_000)


def test_an_output_is_parsed_by_its_content_type(client, invoke):
    inference_id = invoke(b'{"text": "caf\xc3\xa9"}', ContentType="application/json")["InferenceId"]
    client.wait(inference_id, 30)
    assert client.parsed_output(inference_id) == {"text": "café"}


def test_an_output_that_was_removed_is_told_apart(client, invoke):
    record = client.wait(invoke(b"hello")["InferenceId"], 30)
    output = record.output
    boto3.client("s3").delete_object(
        Bucket=output.bucket, Key=output.key, VersionId=output.version_id
    )
    with pytest.raises(OutputRemoved):
        client.output(record.inference_id)
    assert client.get(record.inference_id) == record


def test_what_is_wrong_with_a_question_is_told(client, invoke):
    with pytest.raises(NotFound):
        client.get(str(uuid.uuid4()))
    with pytest.raises(InvalidRequest, match="status: expected one of"):
        list(client.list(status="Preempted"))
    with pytest.raises(InvalidRequest, match="inference_id: expected|id: expected"):
        client.get("x" * 65)
    failed = client.wait(invoke(wishes="simulate-failure=500")["InferenceId"], 30)
    with pytest.raises(InferenceFailed):
        client.output(failed.inference_id)


def test_an_id_on_two_endpoints_needs_one(client, invoke):
    inference_id = f"a/b?c #1% {uuid.uuid4().hex[:8]}"
    for endpoint in ("speech", "vision"):
        invoke(endpoint.encode(), InferenceId=inference_id, EndpointName=endpoint)
        client.wait(inference_id, 30, endpoint=endpoint)
    with pytest.raises(AmbiguousInference) as ambiguous:
        client.get(inference_id)
    assert ambiguous.value.endpoints == ["speech", "vision"]
    assert client.output(inference_id, endpoint="vision") == b"vision"


def test_many_are_waited_for_and_listed_and_counted(client, invoke):
    endpoint = f"many-{uuid.uuid4().hex[:8]}"
    wishes = ["", "simulate-delay=1", "simulate-failure=500", "simulate-expiry"] * 5
    ids = [invoke(wishes=each, EndpointName=endpoint)["InferenceId"] for each in wishes]
    seen = [each.inference_id for each in client.as_completed(ids, 60)]
    assert sorted(seen) == sorted(ids)
    told = []
    ended = client.wait_all(ids, 60, progress=lambda done, total: told.append((done, total)))
    assert list(ended) == ids
    assert told[-1] == (20, 20)
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


def test_the_asynchronous_client_waits_side_by_side(outputs, invoke):
    ids = [invoke(str(number).encode())["InferenceId"] for number in range(5)]

    async def ask():
        async with AsyncClient(outputs[StackOutput.API_URL]) as client:
            await client.wait_all(ids, 30)
            return await asyncio.gather(*(client.output(each) for each in ids))

    assert asyncio.run(ask()) == [b"0", b"1", b"2", b"3", b"4"]


def test_who_may_not_ask_is_told_at_once(outputs):
    session = boto3.Session(profile_name=EXECUTION_ROLE)
    begun = time.monotonic()
    with (
        Client(outputs[StackOutput.API_URL], session=session) as client,
        pytest.raises(NotAuthorized, match="not allowed"),
    ):
        client.wait("one", 60)
    assert time.monotonic() - begun < 20


def test_killing_the_function_in_the_middle_of_a_wait_leaves_it_to_end_in_time(
    folder, outputs, invoke
):
    """All functions are killed, those that record among them."""
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
        begun = time.monotonic()
        assert client.wait(inference_id, 60).status == "Completed"
        assert 4 < time.monotonic() - begun < 60
    timer.join()
    assert killed
