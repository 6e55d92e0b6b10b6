"""A local system of these tests' own, deployed once by `cdk deploy`.

Once in each process that runs any of them: files share no records, so they go to whoever is free.
"""

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest

from inference_results.contract import StackOutput
from local.api_client import StatusApi
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from local.environment import READER_ROLE, SUBMITTER_ROLE, LocalFolder, environment_restored
from local.system import down, up
from tests.deploy.listener import Listener, listening_queue


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    """Stays up while tests of other folders run in between."""
    folder = LocalFolder(tmp_path_factory.mktemp("local"))
    try:
        with environment_restored():
            up(folder, tell=lambda step: None)
        yield folder
    finally:
        down(folder)


@pytest.fixture(scope="module")
def folder(system):
    """Of the system whose client this process is while the tests of a file run."""
    with environment_restored():
        system.enter()
        yield system


@pytest.fixture
def outputs(folder):
    return folder.outputs()


@pytest.fixture
def api(outputs):
    api = StatusApi(outputs[StackOutput.API_URL], READER_ROLE)
    yield api
    api.close()


@pytest.fixture
def submitter(outputs):
    api = StatusApi(outputs[StackOutput.API_URL], SUBMITTER_ROLE)
    yield api
    api.close()


@pytest.fixture
def register(submitter):
    """Register an invocation by the response of `invoke`; answers with the record."""

    def register(response: dict[str, Any], **members: Any) -> dict[str, Any]:
        body = {
            "endpoint": "speech",
            "submitted_at": response["ResponseMetadata"]["HTTPHeaders"]["date"],
            "output_location": response["OutputLocation"],
            "failure_location": response["FailureLocation"],
            **members,
        }
        query = {"id": response["InferenceId"]}
        answer = submitter.ask("inference", "PUT", query=query, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return register


@pytest.fixture
def invoke(folder):
    """Invoke the pretend endpoint with boto3's own client; answers with its response."""

    def invoke(content: bytes = b"hello", wishes: str = "", **options: Any) -> dict[str, Any]:
        key = f"{INPUT_PREFIX}{uuid.uuid4()}"
        boto3.client("s3").put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=content)
        request = {
            "EndpointName": "speech",
            "InputLocation": f"s3://{OUTPUT_BUCKET}/{key}",
            "ContentType": "text/plain",
            **({"CustomAttributes": wishes} if wishes else {}),
            **options,
        }
        return boto3.client("sagemaker-runtime").invoke_endpoint_async(**request)

    return invoke


OVERDUE = {
    "submitted_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
    "request_ttl_seconds": 60,
    "invocation_timeout_seconds": 1,
}
"""For registrations that are overdue at once."""


@pytest.fixture
def sweep(outputs):
    """Calls the sweep, as the schedule does; answers with how many records became what."""

    def sweep() -> dict[str, int]:
        function_name = outputs[StackOutput.RECONCILE_FUNCTION_NAME]
        answer = boto3.client("lambda").invoke(FunctionName=function_name, Payload=b"{}")
        assert "FunctionError" not in answer
        return json.loads(answer["Payload"].read())

    return sweep


@pytest.fixture
def record_of(api):
    """The record of an inference, as soon as there is one."""

    def record_of(inference_id: str, **query: str) -> dict[str, Any]:
        def known() -> tuple[int, dict[str, Any]] | None:
            answer = api.get(inference_id, **query)
            return None if answer[0] == 404 else answer

        status, record = eventually(known)
        assert status == 200, record
        return record

    return record_of


def ended(record: dict[str, Any]) -> Any:
    return record["status"] != "InProgress" and record


def is_there(location: str) -> bool:
    """Whether S3 has an object at a location of the form `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] > 0


def invocations() -> Counter[str]:
    """How often the pretend endpoint invoked each inference id."""
    url = os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"]
    return Counter(httpx.get(url, trust_env=False).json())


@pytest.fixture
def listener(outputs, endpoint_name):
    """Is told of one endpoint, by a rule of its own."""
    with listening_queue(outputs, endpoint_name, [endpoint_name]) as url:
        yield Listener(url)


def eventually(look: Callable[[], Any], seconds: float = 60) -> Any:
    """What `look` finds, as soon as it finds anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s"
        time.sleep(0.1)
    return found
