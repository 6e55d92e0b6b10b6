"""The command `list`."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest
from typer.testing import CliRunner

from inference_results.cli.app import app
from inference_results.cli.follow import Follower
from tests.cli.fake_client import FAILED, record


def test_list_in_a_pipe_is_tab_separated(run, client):
    client.lists = [[FAILED, record()]]
    assert run("list").stdout.splitlines() == [
        "2026-11-23T10:00:00.000Z\tFailed\tspeech\ttwo\tMODEL_TIMEOUT",
        "2026-11-23T10:00:00.000Z\tCompleted\tspeech\tone\t",
    ]


def test_list_json_is_one_record_per_line(run, client):
    client.lists = [[FAILED, record()]]
    lines = run("list", "--json").stdout.splitlines()
    assert [json.loads(line)["inference_id"] for line in lines] == ["two", "one"]


def test_list_on_a_terminal_is_a_table_with_a_header(run, client, terminal):
    client.lists = [[FAILED, record()]]
    stdout = run("list").stdout
    assert "failure" in stdout
    assert "MODEL_TIMEOUT" in stdout


def test_list_stops_at_the_limit(run, client):
    client.lists = [[record(str(number)) for number in range(9)]]
    assert len(run("list", "--limit", "3").stdout.splitlines()) == 3
    assert client.calls[0][1]["page_size"] == 3


def test_a_limit_of_0_requires_follow(run, client):
    result = run("list", "--limit", "0")
    assert (result.exit_code, client.calls) == (2, [])
    assert "--follow" in result.stderr


def test_an_empty_list_is_not_an_error(run, client):
    client.lists = [[], []]
    assert (run("list").exit_code, run("list", "--json").output) == (0, "")


def test_list_passes_its_filters_to_the_client(run, client):
    client.lists = [[]]
    run(
        *("list", "--endpoint", "speech", "--status", "failed"),
        *("--since", "2026-11-23T01:00+01:00", "--until", "2026-11-23T12:00:00Z"),
    )
    assert client.calls[0][1] == {
        "endpoint": "speech",
        "status": "Failed",
        "since": datetime(2026, 11, 23, tzinfo=UTC),
        "until": datetime(2026, 11, 23, 12, tzinfo=UTC),
        "page_size": 50,
    }


def test_list_passes_an_unknown_status_unchanged(run, client):
    client.lists = [[]]
    run("list", "--status", "pausedByX")
    assert client.calls[0][1]["status"] == "pausedByX"


@pytest.mark.parametrize("time", ["yesterday", "2026-11-23T12:00:00", "2026-11-23", "2y", "-2h"])
def test_list_rejects_ambiguous_and_malformed_times(run, client, time):
    result = run("list", f"--since={time}")
    assert (result.exit_code, client.calls) == (2, [])
    assert "2026-01-25T22:46:00Z" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("typed", "completed"), [("", "InProgress"), ("in", "inProgress"), ("IN", "INProgress")]
)
def test_shell_completion_keeps_the_typed_case_of_a_status(run, typed, completed):
    words = {
        "_INFERENCE_RESULTS_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": f"inference-results list --status {typed}",
    }
    result = CliRunner().invoke(app, env=words, prog_name="inference-results")
    assert f'"{completed}"' in result.stdout


# --follow


def test_ctrl_c_ends_follow_with_130_and_without_a_traceback(run, client, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "inference_results.cli.commands.records.Follower", partial(Follower, sleep=interrupted)
    )
    client.lists = [[record()]] * 3
    result = run("list", "--endpoint", "speech", "--follow", "--json")
    assert (result.exit_code, result.stderr) == (130, "")
    assert json.loads(result.stdout)["inference_id"] == "one"


def test_follow_rejects_an_interval_beyond_a_day(run, client):
    result = run("list", "--follow", "--every", "1e300")
    assert (result.exit_code, client.calls) == (2, [])


def test_follow_and_until_together_are_rejected(run, client):
    result = run("list", "--follow", "--until", "1h")
    assert (result.exit_code, client.calls) == (2, [])
