import pytest
from typer.testing import CliRunner, Result

from inference_results.cli.app import app
from tests.cli.fake_client import API, FAILED, FakeClient, FakeClients, record
from tests.cli.terminal import use_terminal


@pytest.fixture
def client():
    return FakeClient(records={"one": record(), "two": FAILED})


@pytest.fixture
def clients(client, monkeypatch):
    clients = FakeClients(client)
    monkeypatch.setattr("inference_results.cli.connection.Client", clients)
    return clients


@pytest.fixture
def run(clients, monkeypatch):
    for name in ("API_URL", "TABLE", "SHARDS", "SUMMARIES_TABLE", "TOKEN", "TASK_TOKEN"):
        monkeypatch.delenv(f"INFERENCE_RESULTS_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments: str, env: dict[str, str] = API) -> Result:
        return CliRunner().invoke(app, arguments, env=env)

    return run


@pytest.fixture
def terminal(monkeypatch):
    use_terminal(monkeypatch)
