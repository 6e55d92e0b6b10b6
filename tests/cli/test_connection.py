"""Global options: the API or the table, token, profile and endpoint."""

from botocore.exceptions import ProfileNotFound

from inference_results.cli.connection import Connection


def test_without_api_and_table_the_error_names_both_options(run):
    result = run("get", "one", env={})
    assert result.exit_code == 2
    assert "--api-url" in result.stderr
    assert "INFERENCE_RESULTS_TABLE" in result.stderr
    assert result.stderr.count("\n") == 1


def test_api_and_table_together_are_rejected(run, clients):
    result = run("--table", "inferences", "--shards", "10", "get", "one")
    assert result.exit_code == 2
    assert clients.created == []


def test_a_table_requires_its_number_of_shards(run):
    result = run("--table", "inferences", "get", "one", env={})
    assert (result.exit_code, "--shards" in result.stderr) == (2, True)


def test_the_token_is_passed_to_the_client(run, clients):
    run("--token", "abc", "get", "one")
    assert clients.created == [("api", "https://api.example", {"session": None, "token": "abc"})]


def test_the_table_can_be_set_in_the_environment(run, clients):
    env = {
        "INFERENCE_RESULTS_TABLE": "inferences",
        "INFERENCE_RESULTS_SHARDS": "10",
        "INFERENCE_RESULTS_SUMMARIES_TABLE": "summaries",
    }
    assert run("get", "one", env=env).exit_code == 0
    options = {
        "shards": 10,
        "summaries_table_name": "summaries",
        "input_prefix": None,
        "retention_days": 90,
        "session": None,
    }
    assert clients.created == [("table", "inferences", options)]


def test_the_token_is_not_in_the_repr_of_the_connection():
    assert "secret" not in repr(Connection(token="secret"))


def test_a_profile_selects_the_session(run, clients, monkeypatch):
    monkeypatch.setattr("boto3.Session", lambda profile_name: f"session of {profile_name}")
    run("--profile", "staging", "get", "one")
    assert clients.created[0][2]["session"] == "session of staging"


def test_an_unknown_profile_is_reported_in_one_line(run, monkeypatch):
    def missing(profile_name):
        raise ProfileNotFound(profile=profile_name)

    monkeypatch.setattr("boto3.Session", missing)
    result = run("--profile", "nowhere", "get", "one")
    assert (result.exit_code, result.stderr.count("\n")) == (5, 1)


def test_an_endpoint_after_the_command_overrides_the_global_one(run, client):
    run("--endpoint", "speech", "get", "one")
    run("--endpoint", "speech", "get", "one", "--endpoint", "ocr")
    assert [call for call in client.calls if call[0] == "get"] == [
        ("get", "one", "speech"),
        ("get", "one", "ocr"),
    ]


def test_the_client_is_closed_after_success_and_after_an_error(run, client):
    run("get", "one")
    run("get", "unknown")
    assert client.calls.count(("close",)) == 2
