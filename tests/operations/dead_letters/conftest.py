from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from inference_results.cli.app import app
from inference_results.cli.connection import Connection
from tests.cli.terminal import use_terminal
from tests.operations.dead_letters.fake_aws import FakeAws


@pytest.fixture
def cloud(monkeypatch) -> FakeAws:
    cloud = FakeAws()
    monkeypatch.setattr(Connection, "session", lambda connection: cloud)
    return cloud


@pytest.fixture
def run(cloud) -> Callable[..., Result]:
    return lambda *words, **options: run_command(*words, **options)


def run_command(*words: str, **options) -> Result:
    command, *others = words
    arguments = ["dead-letters", command, *others, "--stack", "InferenceResults"]
    return CliRunner().invoke(app, arguments, **options)


@pytest.fixture
def terminal(monkeypatch) -> None:
    use_terminal(monkeypatch)
