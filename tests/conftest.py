import gc
import os
import signal
import tempfile
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto import mock_aws
from moto.core.models import botocore_stubber
from urllib3 import HTTPResponse, HTTPSConnectionPool
from xdist.scheduler import LoadScopeScheduling

from tests.support.effort import load_profile
from tests.support.synthesis import TEMPLATES_VARIABLE, synthesised
from tests.support.tables import create_table

# A script starts background processes with Ctrl-C ignored. Some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Each test has a new boto3 session, which would load the service models again without this cache.
botocore.session.create_loader = cache(botocore.session.create_loader)

load_profile()

# The CDK and moto leave many objects: collecting them often takes a tenth of the time.
gc.set_threshold(100_000, 50, 100)


def pytest_configure(config):
    """Let all workers share synthesized templates: the CDK takes seconds to start."""
    if not hasattr(config, "workerinput"):
        config.templates = tempfile.TemporaryDirectory()
        os.environ[TEMPLATES_VARIABLE] = config.templates.name


def pytest_unconfigure(config):
    if hasattr(config, "templates"):
        config.templates.cleanup()


TESTS_OF_TEMPLATES = (
    "tests/infra/",
    "tests/operations/doctor/",
    "tests/functions/test_emf.py",
    "tests/functions/test_logs.py",
    "tests/functions/test_publish_events.py",
    "tests/functions/test_submission_api.py",
    "tests/fuzz/test_handlers.py",
)


class FileScheduling(LoadScopeScheduling):
    """One file at a time, and the tests of templates in one worker: only it starts the CDK."""

    def _split_scope(self, nodeid):
        return "templates" if nodeid.startswith(TESTS_OF_TEMPLATES) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config, log):
    return FileScheduling(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """Synthesize the default template before the other worker needs it."""
    if item.nodeid.startswith(TESTS_OF_TEMPLATES):
        synthesised("default")


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """Return the main stack's template with the default settings."""
    return synthesised("default")["InferenceResults"]


@pytest.fixture
def aws(monkeypatch):
    """Simulate AWS with moto, with a function's variables for credentials and region."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with mock_aws():
        # moto intercepts boto3's clients only. The fast clients call urllib3 directly.
        monkeypatch.setattr("urllib3.HTTPSConnectionPool.urlopen", _moto_response)
        yield


def _moto_response(
    pool: HTTPSConnectionPool,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    **_: Any,
) -> HTTPResponse:
    url = f"https://{pool.host}{path}"
    request = AWSPreparedRequest(method, url, HTTPHeaders.from_dict(headers), body, False)
    response = botocore_stubber("before-send", request)
    assert response
    return HTTPResponse(response.content, response.headers, response.status_code)


@pytest.fixture
def table_name(aws, template):
    return create_table(template, "inferences")


@pytest.fixture
def summaries_table_name(aws, template):
    return create_table(template, "summaries")
