import signal
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.loaders import JSONFileLoader
from hypothesis import settings
from moto import mock_aws
from moto.core.models import botocore_stubber
from urllib3 import HTTPResponse, HTTPSConnectionPool

from tests.synthesis import synthesised

# A shell that runs the tests in the background has its children ignore Ctrl-C, and theirs as well;
# some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Each test has a session of its own, which would read the models of AWS's services anew.
_load_file = JSONFileLoader.load_file
_models = cache(lambda path: _load_file(JSONFileLoader(), path))
JSONFileLoader.load_file = lambda self, path: _models(path)

# No test is judged by its time: machines are noisy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """The main stack's template with the default settings."""
    return synthesised("default")["InferenceResults"]


@pytest.fixture
def aws(monkeypatch):
    """moto, with the credentials and the region that a function has."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with mock_aws():
        # moto stands behind boto3's clients only.
        monkeypatch.setattr("urllib3.HTTPSConnectionPool.urlopen", _answered)
        yield


def _answered(
    pool: HTTPSConnectionPool,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    **_: Any,
) -> HTTPResponse:
    url = f"https://{pool.host}{path}"
    request = AWSPreparedRequest(method, url, HTTPHeaders.from_dict(headers), body, False)
    answer = botocore_stubber("before-send", request)
    assert answer
    return HTTPResponse(answer.content, answer.headers, answer.status_code)


@pytest.fixture
def table_name(aws, template):
    return create_table(template, "inferences")


@pytest.fixture
def summaries_table_name(aws, template):
    return create_table(template, "summaries")


def create_table(template: dict[str, Any], name: str) -> str:
    """A table as the template describes it, so that no name can drift."""
    (properties,) = [
        each["Properties"]
        for logical_id, each in resources(template, "AWS::DynamoDB::GlobalTable").items()
        if f"{name.capitalize()}Table" in logical_id
    ]
    described = ("AttributeDefinitions", "BillingMode", "KeySchema", "GlobalSecondaryIndexes")
    boto3.client("dynamodb").create_table(
        TableName=name, **{each: properties[each] for each in described if each in properties}
    )
    return name


def resources(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """The resources of a CloudFormation type by logical id."""
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}
