from collections.abc import Callable

import pytest
from typer.testing import Result

from inference_results.cli.connection import Connection
from tests.cli.terminal import use_terminal
from tests.operations.dead_letters.commands import run_command
from tests.operations.dead_letters.fake_aws import FakeAws


@pytest.fixture
def cloud(monkeypatch) -> FakeAws:
    cloud = FakeAws()
    monkeypatch.setattr(Connection, "session", lambda connection: cloud)
    return cloud


@pytest.fixture
def run(cloud) -> Callable[..., Result]:
    return lambda *words, **options: run_command(*words, **options)


@pytest.fixture
def terminal(monkeypatch) -> None:
    use_terminal(monkeypatch)
