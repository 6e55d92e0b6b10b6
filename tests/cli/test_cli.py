import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from functools import partial
from io import BytesIO

import pytest
from botocore.exceptions import ProfileNotFound
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from inference_results.cli.app import app
from inference_results.cli.connection import Connection
from inference_results.cli.follow import LATENESS, Follower
from inference_results.cli.output_files import _Whole
from inference_results.cli.time_arguments import parse_time
from inference_results.client import (
    AmbiguousInference,
    DaySummary,
    IdempotencyKeyReused,
    InferenceExpired,
    InferenceFailed,
    InferenceLost,
    InvalidRequest,
    InvocationRejected,
    Latency,
    LatencyBucket,
    NoOutput,
    NotAuthorized,
    OutputRemoved,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedResponse,
    WaitTimeout,
)
from inference_results.domain.record.errors import InferenceResultsError
from tests.cli.cli_service import FAILED, FakeClient, FakeClients, record

API = {"INFERENCE_RESULTS_API_URL": "https://api.example"}
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


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
    """Both streams are terminals to the commands."""
    for module in ("terminal", "tables", "output_files", "wait_output"):
        monkeypatch.setattr(f"inference_results.cli.{module}.is_terminal", lambda stream: True)


# Whom to ask


def test_without_api_and_table_the_error_names_both(run):
    result = run("get", "one", env={})
    assert result.exit_code == 2
    assert "--api-url" in result.stderr
    assert "INFERENCE_RESULTS_TABLE" in result.stderr
    assert result.stderr.count("\n") == 1


def test_api_and_table_together_are_refused(run, clients):
    result = run("--table", "inferences", "--shards", "10", "get", "one")
    assert result.exit_code == 2
    assert clients.made == []


def test_a_table_without_its_shards_is_refused(run):
    result = run("--table", "inferences", "get", "one", env={})
    assert (result.exit_code, "--shards" in result.stderr) == (2, True)


def test_the_api_is_asked_with_the_token(run, clients):
    run("--token", "abc", "get", "one")
    assert clients.made == [("api", "https://api.example", {"session": None, "token": "abc"})]


def test_the_table_is_asked_as_the_environment_says(run, clients):
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
    assert clients.made == [("table", "inferences", options)]


def test_the_token_is_not_shown_with_the_connection():
    assert "secret" not in repr(Connection(token="secret"))


def test_a_profile_makes_the_session(run, clients, monkeypatch):
    monkeypatch.setattr("boto3.Session", lambda profile_name: f"session of {profile_name}")
    run("--profile", "staging", "get", "one")
    assert clients.made[0][2]["session"] == "session of staging"


def test_an_unknown_profile_is_one_line(run, monkeypatch):
    def missing(profile_name):
        raise ProfileNotFound(profile=profile_name)

    monkeypatch.setattr("boto3.Session", missing)
    result = run("--profile", "nowhere", "get", "one")
    assert (result.exit_code, result.stderr.count("\n")) == (5, 1)


def test_the_endpoint_may_stand_before_or_after_the_command(run, client):
    run("--endpoint", "speech", "get", "one")
    run("--endpoint", "speech", "get", "one", "--endpoint", "ocr")
    assert [call for call in client.calls if call[0] == "get"] == [
        ("get", "one", "speech"),
        ("get", "one", "ocr"),
    ]


def test_the_client_is_closed(run, client):
    run("get", "one")
    run("get", "unknown")
    assert client.calls.count(("close",)) == 2


# Errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecordExpired("one", "2026-11-01T00:00:00Z"), 3),
        (AmbiguousInference("one", ["speech", "ocr"]), 5),
        (InvalidRequest("expected 1 to 64 characters", "id"), 2),
        (NotAuthorized("the token has expired", 401), 5),
        (ServiceUnavailable("not reached"), 5),
        (InferenceFailed(FAILED), 1),
        (InferenceExpired(record(status="Expired")), 1),
        (InferenceLost(record(status="Lost")), 1),
        (NoOutput("one", "InProgress"), 1),
        (UnexpectedResponse("HTTP 404: is api_url the URL of such an API?", 404), 5),
        (OutputUnavailable("one", "AccessDenied", "no output can be had"), 5),
        (OutputRemoved("one"), 5),
        (PermissionError(13, "Permission denied", "out.json"), 5),
    ],
)
@pytest.mark.parametrize("command", ["get", "wait", "output"])
def test_an_expected_error_is_one_line_and_an_exit_code(run, client, error, code, command):
    client.error = error
    result = run(command, "one")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_an_ambiguous_id_says_how_to_choose(run, client):
    client.error = AmbiguousInference("one", ["speech", "ocr"])
    result = run("get", "one")
    assert "speech, ocr" in result.stderr
    assert "--endpoint" in result.stderr


def test_an_error_of_the_package_that_is_not_in_the_table_is_no_traceback(run, client):
    class Newer(InferenceResultsError):
        pass

    client.error = Newer("something else")
    result = run("get", "one")
    assert (result.exit_code, result.stderr) == (5, "something else\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "\udcff"],
        ["wait", "one", "\udcff"],
        ["output", "\udcff"],
        ["summary", "\udcff"],
        ["--endpoint", "\udcff", "get", "one"],
        ["list", "--endpoint", "\udcff"],
        ["list", "--status", "\udcff"],
    ],
)
def test_what_is_no_utf8_is_a_wrong_call(run, client, arguments):
    result = run(*arguments)
    assert (result.exit_code, client.calls) == (2, [])
    assert "expected UTF-8 text" in result.stderr


def test_a_bug_keeps_its_traceback(run, client):
    client.error = KeyError("bug")
    assert isinstance(run("get", "one").exception, KeyError)


def test_ctrl_c_ends_with_130(run, client):
    client.error = KeyboardInterrupt()
    result = run("wait", "one")
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_does_not_wait_for_requests_that_are_held_open():
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.settimeout(20)
        environment = {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "INFERENCE_RESULTS_API_URL": f"http://127.0.0.1:{service.getsockname()[1]}",
            "INFERENCE_RESULTS_TOKEN": "a-token",
        }
        code = "from inference_results.cli import main; main()"
        with subprocess.Popen(
            [sys.executable, "-c", code, "wait", *map(str, range(200))],
            env=environment,
            stderr=subprocess.PIPE,
        ) as command:
            held_open = [service.accept() for _ in range(2)]
            command.send_signal(signal.SIGINT)
            _, stderr = command.communicate(timeout=5)
        for connection, _ in held_open:
            connection.close()
    assert (command.returncode, stderr) == (130, b"")


def test_an_error_is_red_on_a_terminal(run, terminal):
    assert "\x1b[31m" in run("get", "unknown").stderr


def test_an_error_has_no_colour_with_no_color(run, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("get", "unknown").stderr


def test_an_error_in_a_pipe_has_no_colour(run):
    assert run("get", "unknown").stderr == "unknown: no inference with this id is recorded\n"


# Ids are data

ODD = "[red]x[/] :smile: \x1b[2J\t\u202e" + "-" * 100


def test_an_id_is_shown_as_it_is_with_control_characters_escaped(run, client):
    client.records = {ODD: record(ODD)}
    client.lists = [[record(ODD)]]
    shown = r"[red]x[/] :smile: \x1b[2J\t\u202e" + "-" * 100
    assert f"inference_id\t{shown}\n" in run("get", ODD).stdout
    assert shown in run("wait", ODD).stdout
    assert shown in run("list").stdout


@pytest.mark.parametrize("command", [["get", ODD], ["wait", ODD], ["list"]])
def test_an_id_is_no_markup_on_a_terminal_and_is_not_cut(run, client, terminal, command):
    client.records = {ODD: record(ODD)}
    client.lists = [[record(ODD)]]
    stdout = run(*command).stdout
    assert "[red]x[/] :smile:" in stdout
    assert "\x1b[2J" not in stdout
    assert stdout.count("-") >= 100
    assert "…" not in stdout


@pytest.mark.parametrize("command", [["wait", ODD], ["list"]])
def test_a_long_id_stays_in_one_line_on_a_terminal(run, client, terminal, command):
    client.records = {ODD: record(ODD)}
    client.lists = [[record(ODD)]]
    assert "-" * 100 in run(*command).stdout


def test_an_error_with_an_odd_id_is_one_line_without_markup(run, terminal):
    stderr = run("get", "[bold]x[/bold]\n\x1b[2J").stderr
    assert r"[bold]x[/bold]\n\x1b[2J: no inference" in stderr
    assert "\x1b[2J" not in stderr


@pytest.mark.parametrize("command", [["get", "ä\x7f"], ["wait", "ä\x7f"], ["list"]])
def test_json_is_ascii_and_gives_the_id_exactly(run, client, command):
    client.records = {"ä\x7f": record("ä\x7f")}
    client.lists = [[record("ä\x7f")]]
    stdout = run(*command, "--json").stdout
    assert json.loads(stdout)["inference_id"] == "ä\x7f"
    assert stdout.isascii()


# get


def test_get_in_a_pipe_writes_a_line_for_each_field(run):
    assert run("get", "two").stdout.splitlines() == [
        "inference_id\ttwo",
        "endpoint_name\tspeech",
        "status\tFailed",
        "event_time\t2026-11-23T10:00:00.000Z",
        "failure.code\tMODEL_TIMEOUT",
        "failure.retryable\ttrue",
        "failure.reason\tserver error (0)",
    ]


def test_get_ends_with_0_whatever_the_status(run):
    assert run("get", "two").exit_code == 0


def test_get_json_is_the_record_as_it_came(run, client):
    client.records["one"] = record(new_field={"deep": [1]})
    result = run("get", "one", "--json")
    assert json.loads(result.stdout) == client.records["one"].raw
    assert result.stdout.count("\n") == 1


def test_get_json_is_spread_on_a_terminal_without_control_codes(run, terminal):
    stdout = run("get", "one", "--json").stdout
    assert stdout.startswith('{\n  "inference_id": "one"')
    assert "\x1b" not in stdout


def test_get_on_a_terminal_is_a_panel_that_says_what_was_cut(run, client, terminal):
    client.records["one"] = record(output={"inline": {"encoding": "utf-8", "content": "x" * 9000}})
    stdout = run("get", "one").stdout
    assert "╭" in stdout
    assert "(9000" in stdout
    assert max(map(cell_len, stdout.splitlines())) < 120


def test_get_of_an_unknown_id_ends_with_3(run):
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
def test_wait_ends_by_the_outcome(run, client, ids, code):
    client.records["paused"] = record("paused", "Paused")
    client.records["running"] = record("running", "InProgress")
    assert run("wait", *ids).exit_code == code


def test_wait_shows_those_that_ended_before_it_complains_of_the_others(run):
    result = run("wait", "one", "two", "a", "b", "--timeout", "2.5")
    assert [line.split("\t")[3] for line in result.stdout.splitlines()] == ["one", "two"]
    assert result.stderr == "2 of 4 not ended within 2.5 s; 2 never recorded: a, b\n"


def test_wait_names_the_only_pending_id_among_others(run):
    stderr = run("wait", "one", "a").stderr
    assert stderr == "1 of 2 not ended within 900 s; 1 never recorded: a\n"


def test_wait_says_that_the_service_did_not_answer_in_the_end(run, client):
    error = WaitTimeout(900, pending=["one"])
    error.__cause__ = ServiceUnavailable("no answer: ConnectError")
    client.error = error
    result = run("wait", "one")
    assert result.exit_code == 4
    assert result.stderr.endswith("; no answer: ConnectError\n")


def test_wait_names_ten_of_many_pending_ids(run):
    result = run("wait", *(f"id-{number}" for number in range(100)))
    assert result.stderr.count("id-") == 10
    assert result.stderr.endswith(", ...\n")


def test_wait_asks_for_each_id_once(run, client):
    run("--endpoint", "speech", "wait", "one", "two", "one", "--timeout", "5")
    assert client.calls[0] == ("wait", ["one", "two"], 5.0, "speech")


def test_wait_in_a_pipe_writes_nothing_but_the_rows(run):
    result = run("wait", "one", "two")
    assert result.stderr == ""
    assert result.stdout.splitlines()[1] == (
        "2026-11-23T10:00:00.000Z\tFailed\tspeech\ttwo\tMODEL_TIMEOUT"
    )


def test_wait_json_is_a_record_in_each_line(run, client):
    lines = run("wait", "one", "two", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [client.records["one"].raw, FAILED.raw]


def test_wait_shows_its_bar_on_the_error_stream_only(run, terminal):
    result = run("wait", "one", "two")
    assert "/2" in result.stderr
    assert "/2" not in result.stdout
    assert "Completed" in result.stdout


def test_wait_refuses_a_negative_timeout(run):
    assert run("wait", "one", "--timeout", "-1").exit_code == 2


# list


def test_list_in_a_pipe_is_fields_parted_by_tabs(run, client):
    client.lists = [[FAILED, record()]]
    assert run("list").stdout.splitlines() == [
        "2026-11-23T10:00:00.000Z\tFailed\tspeech\ttwo\tMODEL_TIMEOUT",
        "2026-11-23T10:00:00.000Z\tCompleted\tspeech\tone\t",
    ]


def test_list_json_is_a_record_in_each_line(run, client):
    client.lists = [[FAILED, record()]]
    lines = run("list", "--json").stdout.splitlines()
    assert [json.loads(line)["inference_id"] for line in lines] == ["two", "one"]


def test_list_on_a_terminal_is_a_table_with_headings(run, client, terminal):
    client.lists = [[FAILED, record()]]
    stdout = run("list").stdout
    assert "failure" in stdout
    assert "MODEL_TIMEOUT" in stdout


def test_list_stops_at_the_limit(run, client):
    client.lists = [[record(str(number)) for number in range(9)]]
    assert len(run("list", "--limit", "3").stdout.splitlines()) == 3
    assert client.calls[0][1]["page_size"] == 3


def test_list_of_none_is_refused_unless_it_goes_on(run, client):
    result = run("list", "--limit", "0")
    assert (result.exit_code, client.calls) == (2, [])
    assert "--follow" in result.stderr


def test_list_of_nothing_is_no_error(run, client):
    client.lists = [[], []]
    assert (run("list").exit_code, run("list", "--json").output) == (0, "")


def test_list_passes_the_filters_on(run, client):
    client.lists = [[]]
    run(
        *("list", "--endpoint", "speech", "--status", "failed"),
        *("--since", "2026-11-23T01:00+01:00", "--until", "2026-11-23T12:00:00Z"),
    )
    assert client.calls[0][1] == {
        "endpoint": "speech",
        "status": "Failed",
        "since": datetime(2026, 11, 23, tzinfo=UTC),
        "until": NOW,
        "page_size": 50,
    }


def test_list_passes_an_unknown_status_on_as_it_is(run, client):
    client.lists = [[]]
    run("list", "--status", "pausedByX")
    assert client.calls[0][1]["status"] == "pausedByX"


@pytest.mark.parametrize("time", ["yesterday", "2026-11-23T12:00:00", "2026-11-23", "2y", "-2h"])
def test_list_refuses_a_time_that_is_not_certain(run, client, time):
    result = run("list", f"--since={time}")
    assert (result.exit_code, client.calls) == (2, [])
    assert "2026-01-25T22:46:00Z" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_time_ago_counts_from_now(text, ago):
    assert parse_time(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    "text", ["999999999d", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"]
)
def test_a_time_beyond_the_years_of_python_is_refused(text):
    with pytest.raises(ValueError, match="years 1 to 9999"):
        parse_time(text, NOW)


# list --follow


class Stopped(Exception):
    """The test has seen enough."""


def following(client, looks, **options):
    """What is shown after so many looks, as (id, status)."""
    left = iter(range(looks))

    def sleep(seconds):
        if next(left, None) is None:
            raise Stopped

    # Before all others the newest record is asked for.
    client.lists.insert(0, client.lists[0])
    defaults = {
        "endpoint": "speech",
        "status": None,
        "since": None,
        "limit": 50,
        "now": lambda: NOW,
    }
    found = Follower(client=client, pause_seconds=5, sleep=sleep, **defaults | options)
    shown = []
    with pytest.raises(Stopped):
        shown.extend((each.inference_id, each.status) for each in found)
    return shown


def test_follow_begins_with_the_last_ones_in_the_order_of_time(client):
    a, b, c = record("a"), record("b"), record("c")
    client.lists = [[c, b, a], [c, b, a]]
    assert following(client, 0, limit=2) == [("b", "Completed"), ("c", "Completed")]


def test_follow_shows_each_record_once_and_none_is_missed_at_equal_times(client):
    a, b, c = record("a"), record("b"), record("c")
    client.lists = [[a], [a], [a, b], [c, a, b], [c, a, b]]
    shown = following(client, 3)
    assert [name for name, _ in shown] == ["a", "b", "c"]


def test_follow_shows_what_came_between_its_first_two_questions_once(client):
    a, b = record("a"), record("b")
    client.lists = [[a], [b, a], [b, a]]
    assert [name for name, _ in following(client, 1)] == ["a", "b"]


def test_follow_does_not_show_what_was_there_beyond_the_limit(client):
    a, b, c = record("a"), record("b"), record("c")
    client.lists = [[b, a], [c, b, a]]
    assert [name for name, _ in following(client, 1, limit=0)] == ["c"]


def test_follow_shows_an_inference_again_when_its_status_changes(client):
    running, ended = record("a", "InProgress"), record("a")
    client.lists = [[running], [running], [ended], [ended]]
    assert following(client, 2) == [("a", "InProgress"), ("a", "Completed")]


def test_follow_shows_nothing_twice_when_an_index_answers_with_an_older_state(client):
    a, b = record("a"), record("b")
    client.lists = [[b, a], [b, a], [a], [b, a]]
    assert [name for name, _ in following(client, 2)] == ["a", "b"]


RECORDED = datetime(2026, 11, 23, 10, tzinfo=UTC)
FUTURE = record("a", event_time="2036-11-23T10:00:00.000Z")


@pytest.mark.parametrize(
    ("newest", "now", "since", "looked_from"),
    [
        (record("a"), NOW, None, RECORDED - LATENESS),
        (record("a"), NOW, RECORDED, RECORDED),
        (record("a"), RECORDED + timedelta(days=365), None, RECORDED - LATENESS),
        (FUTURE, NOW, None, NOW - LATENESS),
    ],
    ids=["late records", "not before since", "a clock that is ahead", "a record that is ahead"],
)
def test_follow_looks_back_from_the_newest_record(client, newest, now, since, looked_from):
    client.lists = [[newest]] * 3
    following(client, 1, since=since, now=lambda: now)
    asked = [call[1]["since"] for call in client.calls]
    assert asked == [since, looked_from, since, looked_from]


@pytest.mark.parametrize("since", [None, NOW])
def test_follow_shows_whatever_comes_into_an_empty_list(client, since):
    client.lists = [[], [], [record("a")]]
    shown = following(client, 1, since=since, limit=50)
    assert shown == [("a", "Completed")]
    assert [call[1]["since"] for call in client.calls] == [since] * 4


def test_follow_remembers_the_records_of_its_last_two_looks_only(client):
    client.lists = [[], [], [], *([record(str(number))] for number in range(50))]
    found = Follower(
        client=client,
        endpoint="speech",
        status=None,
        since=None,
        limit=50,
        pause_seconds=5,
        now=lambda: NOW,
        sleep=lambda seconds: None,
    )
    shown = iter(found)
    for _ in range(50):
        next(shown)
    assert len(found._seen | found._seen_before) == 2


def test_follow_goes_on_after_the_service_did_not_answer(client, capsys):
    a, b = record("a"), record("b")
    client.lists = [[a], [a], ServiceUnavailable("not reached"), [b, a]]
    assert [name for name, _ in following(client, 2)] == ["a", "b"]
    assert capsys.readouterr().err == "not reached; trying again\n"


def test_follow_ends_with_130_and_no_traceback_on_ctrl_c(run, client, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("inference_results.cli.app.Follower", partial(Follower, sleep=interrupted))
    client.lists = [[record()]] * 3
    result = run("list", "--endpoint", "speech", "--follow", "--json")
    assert (result.exit_code, result.stderr) == (130, "")
    assert json.loads(result.stdout)["inference_id"] == "one"


def test_follow_refuses_a_pause_that_no_clock_can_count(run, client):
    result = run("list", "--follow", "--every", "1e300")
    assert (result.exit_code, client.calls) == (2, [])


def test_follow_has_no_end(run, client):
    result = run("list", "--follow", "--until", "1h")
    assert (result.exit_code, client.calls) == (2, [])


# output

BINARY = b"\xff\x00 no text"


@pytest.mark.parametrize("target", [[], ["--to", "-"]])
def test_output_is_written_byte_for_byte(run, client, target):
    client.content = [b"a\r\n", BINARY]
    assert run("output", "one", *target).stdout_bytes == b"a\r\n" + BINARY


@pytest.mark.parametrize("content", [[BINARY], [b"\x1b[2J"], [b"text", b"\x00"], ["\x9b".encode()]])
def test_output_that_is_no_text_is_not_written_to_a_terminal(run, client, terminal, content):
    client.content = content
    result = run("output", "one")
    assert result.exit_code == 2
    assert content[-1] not in result.stdout_bytes
    assert "--force" in result.stderr


def test_output_that_is_no_text_can_be_forced_to_a_terminal(run, client, terminal):
    client.content = [BINARY]
    assert run("output", "one", "--force").stdout_bytes == BINARY


def test_text_is_written_to_a_terminal_even_if_a_character_is_parted(run, client, terminal):
    client.content = [b"gr\xc3", b"\xbcn\r\n\t"]
    result = run("output", "one")
    assert (result.exit_code, result.stdout_bytes) == (0, b"gr\xc3\xbcn\r\n\t")


def test_output_goes_to_a_file_and_nothing_to_the_streams(run, client, tmp_path):
    client.content = [BINARY]
    result = run("--endpoint", "speech", "output", "one", "--to", str(tmp_path / "out"))
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "out").read_bytes() == BINARY
    assert client.calls[0] == ("output", "one", "speech")


def test_output_is_whole_on_a_stream_that_takes_a_part_of_it_at_a_time():
    class Unbuffered(BytesIO):
        def write(self, data):
            return super().write(data[:3])

    stream = Unbuffered()
    _Whole(stream).write(b"0123456789")
    assert stream.getvalue() == b"0123456789"


def test_a_large_output_shows_a_bar_on_the_error_stream(run, client, terminal, tmp_path):
    client.content = [b"x" * 1024 * 1024] * 2
    result = run("output", "one", "--to", str(tmp_path / "out"))
    assert "saving" in result.stderr
    assert result.stdout == ""


def test_a_small_output_shows_no_bar(run, client, terminal, tmp_path):
    client.content = [b"x"]
    assert "saving" not in run("output", "one", "--to", str(tmp_path / "out")).stderr


def test_output_to_a_folder_that_is_not_there_is_one_line(run, client, tmp_path):
    result = run("output", "one", "--to", str(tmp_path / "no" / "out"))
    assert result.exit_code == 5
    assert result.stderr == f"{tmp_path}/no/out: No such file or directory\n"


# summary

DAYS = [
    DaySummary(
        day=date(2026, 11, 23),
        counts={"Completed": 12, "Failed": 1},
        latency=Latency(
            count=13,
            p50_ms=812,
            p90_ms=2210,
            p99_ms=5400,
            histogram=(
                LatencyBucket(up_to_ms=900, count=12),
                LatencyBucket(up_to_ms=6000, count=1),
            ),
        ),
    ),
    DaySummary(day=date(2026, 11, 22), counts={"Expired": 2}),
]


def test_summary_in_a_pipe_is_a_line_for_each_day(run, client):
    client.days = DAYS
    assert run("summary", "speech").stdout.splitlines() == [
        "2026-11-23\tCompleted=12 Failed=1\t812\t2210\t5400",
        "2026-11-22\tExpired=2\t\t\t",
    ]


def test_summary_json_has_the_shape_of_the_api(run, client):
    client.days = DAYS
    document = json.loads(run("summary", "speech", "--json").stdout)
    assert document["endpoint_name"] == "speech"
    assert document["days"][0]["latency"]["histogram"][0] == {"up_to_ms": 900, "count": 12}
    assert document["days"][1] == {"day": "2026-11-22", "counts": {"Expired": 2}}


def test_summary_on_a_terminal_shows_counts_percentiles_and_bars(run, client, terminal):
    client.days = DAYS
    stdout = run("summary", "speech").stdout
    assert "Expired" in stdout
    assert "5400" in stdout
    assert "#" * 40 + " 12" in stdout
    assert "#### 1" in stdout


def test_summary_asks_for_so_many_days_with_today(run, client):
    run("summary", "speech", "--days", "3")
    days = client.calls[0][2]
    assert days["until"] - days["since"] == timedelta(days=2)


def test_summary_takes_the_endpoint_before_the_command(run, client):
    client.days = DAYS
    result = run("--endpoint", "speech", "summary", "--json")
    assert client.calls[0][1] == json.loads(result.stdout)["endpoint_name"] == "speech"
    run("--endpoint", "speech", "summary", "ocr")
    assert client.calls[2][1] == "ocr"


def test_summary_needs_an_endpoint(run, client):
    result = run("summary")
    assert (result.exit_code, client.calls) == (2, [])
    assert result.stderr == "of which endpoint? Give its name\n"


def test_summary_without_results_is_no_error(run):
    result = run("summary", "speech")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize("days", ["0", "32"])
def test_summary_refuses_more_days_than_the_service_has(run, days):
    assert run("summary", "speech", "--days", days).exit_code == 2


# submit

SUBMIT = ("submit", "speech", "s3://bucket/in/1", "--key", "order-7")


def test_submit_says_all_that_is_given(run, client):
    result = run(
        *SUBMIT,
        *("--content-type", "audio/wav", "--accept", "text/csv", "--custom-attributes", "a=b"),
        *("--metadata", "job=7", "--metadata", "formula=a=b", "--metadata", "empty="),
        *("--request-ttl", "60", "--invocation-timeout", "30", "--task-token", "token"),
    )
    assert result.exit_code == 0
    assert client.calls[0] == (
        "submit",
        "speech",
        "s3://bucket/in/1",
        {
            "idempotency_key": "order-7",
            "content_type": "audio/wav",
            "accept": "text/csv",
            "custom_attributes": "a=b",
            "metadata": {"job": "7", "formula": "a=b", "empty": ""},
            "task_token": "token",
            "request_ttl_seconds": 60,
            "invocation_timeout_seconds": 30,
        },
    )


def test_submit_says_no_more_than_what_is_given(run, client):
    run(*SUBMIT)
    assert client.calls[0][3] == {"idempotency_key": "order-7"}


def test_submit_takes_the_task_token_from_a_variable_and_shows_it_to_nobody(run, client):
    env = API | {"INFERENCE_RESULTS_TASK_TOKEN": "SECRET"}
    result = run(*SUBMIT, env=env)
    assert client.calls[0][3] == {"idempotency_key": "order-7", "task_token": "SECRET"}
    help_text, wrong = run("submit", "--help", env=env), run(*SUBMIT[:3], env=env)
    assert "SECRET" not in "".join(each.stdout + each.stderr for each in (result, help_text, wrong))


def test_submit_reads_a_file(run, client, tmp_path):
    (tmp_path / "in").write_bytes(BINARY)
    run("submit", "speech", str(tmp_path / "in"), "--key", "one")
    assert client.calls[0][2] == BINARY


def test_submit_reads_the_standard_input(clients, client):
    arguments = ["submit", "speech", "-", "--key", "one"]
    result = CliRunner().invoke(app, arguments, env=API, input=BINARY)
    assert result.exit_code == 0
    assert client.calls[0][2] == BINARY


def test_submit_of_a_file_that_is_not_there_is_a_wrong_call(run, client, tmp_path):
    result = run("submit", "speech", str(tmp_path / "none"), "--key", "one")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{tmp_path}/none: No such file or directory\n"
    assert client.calls == [("close",)]


@pytest.mark.parametrize(
    "arguments",
    [
        SUBMIT[:3],
        SUBMIT[:2],
        (*SUBMIT, "--metadata", "job"),
        (*SUBMIT, "--metadata", "=7"),
        (*SUBMIT, "--metadata", "job=\udcff"),
        (*SUBMIT, "--request-ttl", "soon"),
        (*SUBMIT, "--wait", "-1"),
        ("submit", "\udcff", *SUBMIT[2:]),
    ],
)
def test_submit_refuses_what_does_not_make_sense(run, client, arguments):
    assert (run(*arguments).exit_code, client.calls) == (2, [])


def test_submit_shows_the_record_as_get_does_whatever_its_status(run, client):
    client.submitted = FAILED
    submitted = run(*SUBMIT)
    assert (submitted.exit_code, submitted.stdout) == (0, run("get", "two").stdout)
    as_json = run(*SUBMIT, "--json")
    assert json.loads(as_json.stdout) == FAILED.raw


@pytest.mark.parametrize(
    ("inference", "code"), [(record(), 0), (FAILED, 1), (record(status="InProgress"), 4)]
)
def test_submit_waits_and_ends_by_the_outcome(run, client, inference, code):
    client.submitted = record(inference.inference_id, "InProgress")
    client.records = {inference.inference_id: inference}
    result = run(*SUBMIT, "--wait", "60")
    assert result.exit_code == code
    assert client.calls[1] == ("wait", [inference.inference_id], 60.0, "speech")
    assert (f"status\t{inference.status}\n" in result.stdout) == (code != 4)
    assert (inference.inference_id in result.stderr) == (code == 4)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            IdempotencyKeyReused("one"),
            "one: the idempotency key was used for another request\n",
        ),
        (
            InvocationRejected("ValidationError", "no such endpoint"),
            "SageMaker did not take the request: ValidationError: no such endpoint\n",
        ),
    ],
)
def test_submit_says_what_is_refused(run, client, error, line):
    client.error = error
    result = run(*SUBMIT)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", line)


# Help


@pytest.mark.parametrize(
    "command", ["get", "wait", "list", "output", "summary", "wire", "unwire", "submit"]
)
def test_the_help_of_every_command_has_examples(run, command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"  inference-results {command} " in result.stdout


@pytest.mark.parametrize(
    ("typed", "completed"), [("", "InProgress"), ("in", "inProgress"), ("IN", "INProgress")]
)
def test_a_status_is_completed_in_any_case(run, typed, completed):
    words = {
        "_INFERENCE_RESULTS_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": f"inference-results list --status {typed}",
    }
    result = CliRunner().invoke(app, env=words, prog_name="inference-results")
    assert f'"{completed}"' in result.stdout


def test_the_help_of_list_tells_when_failures_are_shown(run):
    assert "only with --status" in " ".join(run("list", "--help").stdout.split())


def test_the_help_lists_the_exit_codes(run):
    stdout = run("--help").stdout
    for code in ("0  done", "1  an inference is Failed", "3  nothing", "4  not", "130  ended"):
        assert code in stdout


def test_a_token_in_the_environment_is_not_in_the_help(run):
    assert "secret" not in run("--help", env={"INFERENCE_RESULTS_TOKEN": "secret"}).stdout


def test_without_the_extra_the_command_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from inference_results import cli"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; cli.main()"],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "async-inference-results[cli]" in result.stderr


def test_a_wrong_call_ends_with_2(run):
    assert run("get").exit_code == 2
