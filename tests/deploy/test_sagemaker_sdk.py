"""The SageMaker SDK and the client, compared on the deployed system.

The SDK's versions cannot be installed together, so each has its own environment (`make sdks`).
"""

import json
import os
import subprocess

import pytest

from inference_results.contract import StackOutput
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from tests.support.synthesis import ROOT

OUTPUT = {"result": [[1, 2], [3, 4]]}


@pytest.fixture(scope="module")
def results(folder):
    """The output of tests/sdk/compare.py by version. Both versions run concurrently."""
    api_url = folder.outputs()[StackOutput.API_URL]
    running = {version: _start(version, api_url) for version in ("v2", "v3")}
    return {version: _read_result(process) for version, process in running.items()}


def _start(version, api_url):
    return subprocess.Popen(
        [
            ROOT / f".venv-sagemaker-{version}/bin/python",
            ROOT / "tests/sdk/compare.py",
            version,
            api_url,
            f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}",
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_result(process):
    """Parse the last line: the SDK logs to the same stream."""
    try:
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


@pytest.fixture(params=["v2", "v3"])
def result(request, results):
    return results[request.param]


@pytest.mark.parametrize("client", ["theirs", "ours", "ours without id"])
def test_both_read_the_same_output(result, client):
    assert result["output"][client] == OUTPUT


def test_both_raise_an_error_for_a_failure(result):
    assert "AsyncInferenceModelError" in result["failure"]["theirs"]["error"]
    assert "InferenceFailed" in result["failure"]["ours"]["error"]
    assert "InferenceFailed" in result["failure"]["ours without id"]["error"]


def test_ours_raises_inference_expired_if_the_id_is_known(result):
    assert "InferenceExpired" in result["expiry"]["ours"]["error"]


def test_ours_times_out_if_the_id_is_unknown(result):
    assert "WaitTimeout" in result["expiry"]["ours without id"]["error"]


def test_version_2_times_out_for_an_expired_inference(results):
    assert "PollingTimeoutError" in results["v2"]["expiry"]["theirs"]["error"]


def test_version_3_waits_forever_for_an_expired_inference(results):
    """The script stops it after three times the time that its WaiterConfig allows."""
    assert "waits" in results["v3"]["expiry"]["theirs"]


def test_without_a_waiter_the_sdk_cannot_distinguish_expired_from_slow(result):
    assert "ObjectNotExistedError" in result["expiry"]["theirs at once"]["error"]
