"""Import handlers with exactly the environment variables that the template sets."""

import importlib
import io
import logging
import sys
from dataclasses import dataclass

import boto3
import pytest

from inference_results.contract import Service
from tests.conftest import resources
from tests.emf import parse_metrics
from tests.synthesis import VARIANTS, synthesised

BUCKET = "customer-outputs"


@dataclass
class Context:
    """The part of the Lambda context that handlers use."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "request-1"
    remaining_ms: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@pytest.fixture
def context():
    return Context()


@pytest.fixture
def unprocessable_queue_url(aws):
    return boto3.client("sqs").create_queue(QueueName="unprocessable")["QueueUrl"]


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def load_handler(template, table_name, summaries_table_name, unprocessable_queue_url, monkeypatch):
    """Return a function that imports a handler afresh, with the environment of its function."""
    references = {
        "InferencesTable": table_name,
        "SummariesTable": summaries_table_name,
        "UnprocessableQueue": unprocessable_queue_url,
        "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/InferenceResults/1",
    }

    def resolve(value):
        match value:
            case {"Ref": name}:
                return next(each for known, each in references.items() if known in name)
            case {"Fn::GetAtt": [logical_id, "Arn"]} if "InferencesTable" in logical_id:
                return f"arn:aws:dynamodb:us-east-1:123456789012:table/{table_name}"
            case {"Fn::GetAtt": [logical_id, "Arn"]} if "EventPublisherBus" in logical_id:
                return "arn:aws:events:us-east-1:123456789012:event-bus/inference-events"
        assert isinstance(value, str), f"expected a string, Ref or Fn::GetAtt, got {value}"
        return value

    def load(name, template=template):
        handler = f"functions.{name}.handler"
        functions = [
            each["Properties"]
            for each in resources(template, "AWS::Lambda::Function").values()
            if each["Properties"]["Handler"] == handler
        ]
        for variable, value in functions[0]["Environment"]["Variables"].items():
            monkeypatch.setenv(variable, resolve(value))
        sys.modules.pop(f"functions.{name}", None)
        # A cached logger would still write to the standard output of an earlier test.
        logging.Logger.manager.loggerDict.pop(name, None)
        return importlib.import_module(f"functions.{name}").handler

    return load


@pytest.fixture(scope="session")
def observed_template():
    """Return a template with all metrics and debug logs, in which `speech` is watched."""
    return synthesised(
        "observed",
        debug_sample_rate="1",
        submit_endpoints="speech",
        state_machine_arns=VARIANTS["state machines"]["state_machine_arns"],
        input_prefix="s3://customer-inputs/async/",
    )["InferenceResults"]


@pytest.fixture
def log():
    """Return the log of all functions. Restores the log levels after the test."""
    stream = io.StringIO()
    loggers = [logging.getLogger(service) for service in Service]
    yield stream
    for each in loggers:
        each.setLevel(logging.INFO)


@pytest.fixture
def load_with_log(load_handler, observed_template, log, monkeypatch):
    """Return a function that imports a handler that logs to `log`, by default at debug level."""
    monkeypatch.setattr("aws_lambda_powertools.logging.logger.is_cold_start", False)

    def load(service, template=observed_template):
        handler = load_handler(service, template)
        log_handler = sys.modules[handler.__module__].logger.registered_handler
        monkeypatch.setattr(log_handler, "stream", log)
        return handler

    return load


@pytest.fixture
def run_every_path(load_with_log, s3, table_name, monkeypatch):
    """Return a function that runs all handlers through every path (every_path.py)."""
    from tests.functions.every_path import EveryPath

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return EveryPath(load_with_log, table_name, monkeypatch.context).run


_EMITTED = set()


@pytest.fixture
def emitted(request, capsys):
    """Namespace, name and dimensions of each metric that every path emits; run once."""
    if not _EMITTED:
        request.getfixturevalue("run_every_path")()
        _EMITTED.update(each.identity for each in parse_metrics(capsys.readouterr().out))
    return _EMITTED
