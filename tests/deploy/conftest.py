"""What tests do with the local system: invoke, register, request, reconcile, receive events."""

import json
import uuid
from typing import Any

import boto3
import pytest

from inference_results.contract import StackOutput
from local.api_client import ApiClient
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from local.environment import READER_ROLE, SUBMITTER_ROLE
from tests.deploy.listener import Listener, event_queue
from tests.support.local_system import folder, system
from tests.support.waiting import eventually

__all__ = ["folder", "system"]


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


@pytest.fixture
def listener(outputs, endpoint_name):
    """Receives the events of one endpoint, by a separate rule."""
    with event_queue(outputs, endpoint_name, [endpoint_name]) as url:
        yield Listener(url)
