"""Handlers with their logs and metrics."""

import io
import logging
import sys

import pytest

from inference_results.contract import Service
from tests.support.emf import parse_metrics
from tests.support.handlers import context, load_handler, s3, unprocessable_queue_url
from tests.support.synthesis import VARIANTS, synthesised

__all__ = ["context", "load_handler", "s3", "unprocessable_queue_url"]


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
