"""`up` and `down`, as `make up` and `make down` call them."""

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.contract import StackOutput
from local.system import up


def test_bringing_it_up_again_changes_nothing(folder, outputs, invoke, record_of):
    inference_id = invoke()["InferenceId"]
    record = record_of(inference_id)
    up(folder, tell=lambda step: None)
    assert folder.outputs() == outputs
    assert record_of(inference_id) == record


def test_the_environment_and_the_outputs_are_written_for_others(folder, outputs):
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
def test_the_pretend_endpoint_refuses_what_sagemaker_refuses(folder, request_):
    with pytest.raises(ClientError, match="ValidationError"):
        boto3.client("sagemaker-runtime").invoke_endpoint_async(**request_)
