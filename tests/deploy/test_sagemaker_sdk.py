"""The real SageMaker SDK beside the client, on the deployed system.

The SDK's versions exclude each other, so each has an environment of its own (`make sdks`).
"""

import json
import os
import subprocess

import pytest

from inference_results.contract import StackOutput
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from tests.synthesis import ROOT

OUTPUT = {"result": [[1, 2], [3, 4]]}


@pytest.fixture(scope="module")
def asked(folder):
    """What tests/sdk/ask.py prints, by version; both run at once, as they mostly wait."""
    api_url = folder.outputs()[StackOutput.API_URL]
    running = {version: _start(version, api_url) for version in ("v2", "v3")}
    return {version: _printed(process) for version, process in running.items()}


def _start(version, api_url):
    return subprocess.Popen(
        [
            ROOT / f".venv-sagemaker-{version}/bin/python",
            ROOT / "tests/sdk/ask.py",
            version,
            api_url,
            f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}",
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT / "functions")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _printed(process):
    """The last line: the SDK logs on the same stream."""
    try:
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


@pytest.fixture(params=["v2", "v3"])
def either(request, asked):
    return asked[request.param]


@pytest.mark.parametrize("way", ["theirs", "ours", "ours without id"])
def test_both_read_the_same_output(either, way):
    assert either["output"][way] == OUTPUT


def test_both_end_with_a_failure(either):
    assert "AsyncInferenceModelError" in either["failure"]["theirs"]["error"]
    assert "InferenceFailed" in either["failure"]["ours"]["error"]
    assert "InferenceFailed" in either["failure"]["ours without id"]["error"]


def test_ours_ends_with_the_expiry_where_the_id_is_known(either):
    assert "InferenceExpired" in either["expiry"]["ours"]["error"]


def test_ours_ends_with_the_timeout_where_the_id_is_not_known(either):
    assert "WaitTimeout" in either["expiry"]["ours without id"]["error"]


def test_version_2_gives_an_expired_inference_up(asked):
    assert "PollingTimeoutError" in asked["v2"]["expiry"]["theirs"]["error"]


def test_version_3_waits_for_an_expired_inference_for_ever(asked):
    """Seen for three times as long as its WaiterConfig allows; the script then ends it."""
    assert "waits" in asked["v3"]["expiry"]["theirs"]


def test_without_a_waiter_the_sdk_cannot_tell_an_expiry_from_a_slow_inference(either):
    assert "ObjectNotExistedError" in either["expiry"]["theirs at once"]["error"]
