"""A local system for these tests, deployed with `cdk deploy` once in each test process.

Test files share no records, so any process can run any file.
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
from local.api_client import ApiClient
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from local.environment import READER_ROLE, SUBMITTER_ROLE, LocalFolder, environment_restored
from local.system import down, up
from tests.deploy.listener import Listener, event_queue


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    """A local system that stays up for the whole session."""
    folder = LocalFolder(tmp_path_factory.mktemp("local"))
    try:
        with environment_restored():
            up(folder, progress=lambda step: None)
        yield folder
    finally:
        down(folder)


@pytest.fixture(scope="module")
def folder(system):
    """The system's folder. This process is a client of the system while the tests of a file run."""
    with environment_restored():
        system.enter()
        yield system


@pytest.fixture
def outputs(folder):
    return folder.outputs()


@pytest.fixture
def api(outputs):
    api = ApiClient(outputs[StackOutput.API_URL], READER_ROLE)
    yield api
    api.close()


@pytest.fixture
def submitter(outputs):
    api = ApiClient(outputs[StackOutput.API_URL], SUBMITTER_ROLE)
    yield api
    api.close()


@pytest.fixture
def register(submitter):
    """Register an invocation by the response of `invoke`, and return the record."""

    def register(invocation: dict[str, Any], **members: Any) -> dict[str, Any]:
        body = {
            "endpoint": "speech",
            "submitted_at": invocation["ResponseMetadata"]["HTTPHeaders"]["date"],
            "output_location": invocation["OutputLocation"],
            "failure_location": invocation["FailureLocation"],
            **members,
        }
        query = {"id": invocation["InferenceId"]}
        response = submitter.request("inference", "PUT", query=query, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return register


@pytest.fixture
def invoke(folder):
    """Invoke the simulated endpoint with boto3, and return the response."""

    def invoke(
        content: bytes = b"hello", custom_attributes: str = "", **options: Any
    ) -> dict[str, Any]:
        key = f"{INPUT_PREFIX}{uuid.uuid4()}"
        boto3.client("s3").put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=content)
        request = {
            "EndpointName": "speech",
            "InputLocation": f"s3://{OUTPUT_BUCKET}/{key}",
            "ContentType": "text/plain",
            **({"CustomAttributes": custom_attributes} if custom_attributes else {}),
            **options,
        }
        return boto3.client("sagemaker-runtime").invoke_endpoint_async(**request)

    return invoke


OVERDUE = {
    "submitted_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
    "request_ttl_seconds": 60,
    "invocation_timeout_seconds": 1,
}
"""Members of a registration that is overdue at once."""


@pytest.fixture
def reconcile(outputs):
    """Invoke reconcile as the schedule does, and return its counts."""

    def reconcile() -> dict[str, int]:
        function_name = outputs[StackOutput.RECONCILE_FUNCTION_NAME]
        response = boto3.client("lambda").invoke(FunctionName=function_name, Payload=b"{}")
        assert "FunctionError" not in response
        return json.loads(response["Payload"].read())

    return reconcile


@pytest.fixture
def wait_for_record(api):
    """Wait until an inference has a record, and return it."""

    def wait_for_record(inference_id: str, **query: str) -> dict[str, Any]:
        def get() -> tuple[int, dict[str, Any]] | None:
            found = api.get(inference_id, **query)
            return None if found[0] == 404 else found

        status, record = eventually(get)
        assert status == 200, record
        return record

    return wait_for_record


def ended(record: dict[str, Any]) -> Any:
    return record["status"] != "InProgress" and record


def object_exists(location: str) -> bool:
    """Return whether S3 has an object at a location `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] > 0


def invocation_counts() -> Counter[str]:
    """Return how often the simulated endpoint invoked each inference id."""
    url = os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"]
    return Counter(httpx.get(url, trust_env=False).json())


@pytest.fixture
def listener(outputs, endpoint_name):
    """Receives the events of one endpoint, by a separate rule."""
    with event_queue(outputs, endpoint_name, [endpoint_name]) as url:
        yield Listener(url)


def eventually(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Call `condition` until it returns a true value, and return that."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"condition not met after {seconds} s"
        time.sleep(0.1)
    return value
