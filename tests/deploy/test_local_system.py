"""`up`, which `make up` runs, and the simulated endpoint."""

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.contract import StackOutput
from local.system import up


def test_up_is_idempotent(folder, outputs, invoke, wait_for_record):
    inference_id = invoke()["InferenceId"]
    record = wait_for_record(inference_id)
    up(folder, progress=lambda step: None)
    assert folder.outputs() == outputs
    assert wait_for_record(inference_id) == record


def test_up_writes_the_environment_and_the_outputs(folder, outputs):
    env = (folder.path / "env").read_text()
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID", "AWS_REGION"):
        assert f"export {name}=" in env
    assert f"export INFERENCE_RESULTS_API_URL='{outputs[StackOutput.API_URL]}'" in env
    assert set(outputs) == {*StackOutput, "OutputBucket", "OutputPrefix"}


@pytest.mark.parametrize(
    "request_",
    [
        {"EndpointName": "speech"},
        {"EndpointName": "speech", "InputLocation": "s3://bucket/key", "Body": b"both"},
        {"EndpointName": "speech", "Body": b"x" * 128_001},
    ],
    ids=["no input", "two inputs", "too large"],
)
def test_the_simulated_endpoint_rejects_invalid_requests(folder, request_):
    with pytest.raises(ClientError, match="ValidationError"):
        boto3.client("sagemaker-runtime").invoke_endpoint_async(**request_)
