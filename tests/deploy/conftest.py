"""A local system of these tests' own, deployed once by an unmodified `cdk deploy`."""

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from inference_results.contract import StackOutput
from local.asking import StatusApi
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from local.environment import READER_ROLE, LocalFolder
from local.system import down, up


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items):
    """Where tests run on several workers, these stay together: they share one deployment."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("deploy"))


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    before = dict(os.environ)
    folder = LocalFolder(tmp_path_factory.mktemp("local"))
    try:
        up(folder, tell=lambda step: None)
        yield folder
    finally:
        down(folder)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def outputs(folder):
    return folder.outputs()


@pytest.fixture
def api(outputs):
    api = StatusApi(outputs[StackOutput.API_URL], READER_ROLE)
    yield api
    api.close()


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


def eventually(look: Callable[[], Any], seconds: float = 20) -> Any:
    """What `look` finds, as soon as it finds anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s"
        time.sleep(0.1)
    return found
