"""The commands `get` and `wait`."""

import json

import pytest
from rich.cells import cell_len

from inference_results.client import ServiceUnavailable, WaitTimeout
from tests.cli.fake_client import FAILED, record

# get


def test_get_in_a_pipe_prints_one_line_per_field(run):
    assert run("get", "two").stdout.splitlines() == [
        "inference_id\ttwo",
        "endpoint_name\tspeech",
        "status\tFailed",
        "event_time\t2026-11-23T10:00:00.000Z",
        "failure.code\tMODEL_TIMEOUT",
        "failure.retryable\ttrue",
        "failure.reason\tserver error (0)",
    ]


def test_get_exits_with_0_whatever_the_status(run):
    assert run("get", "two").exit_code == 0


def test_get_json_is_the_unchanged_record_on_one_line(run, client):
    client.records["one"] = record(new_field={"deep": [1]})
    result = run("get", "one", "--json")
    assert json.loads(result.stdout) == client.records["one"].raw
    assert result.stdout.count("\n") == 1


def test_get_json_is_indented_and_uncoloured_on_a_terminal(run, terminal):
    stdout = run("get", "one", "--json").stdout
    assert stdout.startswith('{\n  "inference_id": "one"')
    assert "\x1b" not in stdout


def test_get_on_a_terminal_shortens_long_values_in_a_panel(run, client, terminal):
    client.records["one"] = record(output={"inline": {"encoding": "utf-8", "content": "x" * 9000}})
    stdout = run("get", "one").stdout
    assert "╭" in stdout
    assert "(9000" in stdout
    assert max(map(cell_len, stdout.splitlines())) < 120


def test_get_of_an_unknown_id_exits_with_3(run):
    assert run("get", "unknown").exit_code == 3


# wait


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (["one"], 0),
        (["one", "one"], 0),
        (["two"], 1),
        (["one", "two"], 1),
        (["paused"], 1),
        (["running"], 4),
        (["two", "running"], 4),
        (["running", "unknown"], 4),
        (["unknown"], 3),
        (["one", "unknown"], 3),
    ],
)
def test_the_exit_code_of_wait_depends_on_the_outcomes(run, client, ids, code):
    client.records["paused"] = record("paused", "Paused")
    client.records["running"] = record("running", "InProgress")
    assert run("wait", *ids).exit_code == code


def test_wait_prints_ended_inferences_before_it_reports_the_timeout(run):
    result = run("wait", "one", "two", "a", "b", "--timeout", "2.5")
    assert [line.split("\t")[3] for line in result.stdout.splitlines()] == ["one", "two"]
    assert result.stderr == (
        "2 of 4 inferences did not end within 2.5 s; no record exists for 2 of them;"
        " pending: a, b\n"
    )


def test_wait_names_a_single_pending_id(run):
    stderr = run("wait", "one", "a").stderr
    assert stderr == (
        "1 of 2 inferences did not end within 900 s; no record exists for 1 of them; pending: a\n"
    )


def test_wait_reports_that_the_service_was_unavailable_at_the_end(run, client):
    error = WaitTimeout(900, pending=["one"])
    error.__cause__ = ServiceUnavailable("no response: ConnectError")
    client.error = error
    result = run("wait", "one")
    assert result.exit_code == 4
    assert result.stderr.endswith("; no response: ConnectError\n")


def test_wait_names_at_most_ten_pending_ids(run):
    result = run("wait", *(f"id-{number}" for number in range(100)))
    assert result.stderr.count("id-") == 10
    assert result.stderr.endswith(", ...\n")


def test_wait_requests_repeated_ids_once(run, client):
    run("--endpoint", "speech", "wait", "one", "two", "one", "--timeout", "5")
    assert client.calls[0] == ("wait", ["one", "two"], 5.0, "speech")


def test_wait_in_a_pipe_prints_only_rows(run):
    result = run("wait", "one", "two")
    assert result.stderr == ""
    assert result.stdout.splitlines()[1] == (
        "2026-11-23T10:00:00.000Z\tFailed\tspeech\ttwo\tMODEL_TIMEOUT"
    )


def test_wait_json_is_one_record_per_line(run, client):
    lines = run("wait", "one", "two", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [client.records["one"].raw, FAILED.raw]


def test_wait_shows_its_progress_bar_on_stderr_only(run, terminal):
    result = run("wait", "one", "two")
    assert "/2" in result.stderr
    assert "/2" not in result.stdout
    assert "Completed" in result.stdout


def test_wait_rejects_a_negative_timeout(run):
    assert run("wait", "one", "--timeout", "-1").exit_code == 2
