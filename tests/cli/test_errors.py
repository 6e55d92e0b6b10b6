"""Expected errors: one line on standard error, and an exit code."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from inference_results.client import (
    AmbiguousInference,
    InferenceExpired,
    InferenceFailed,
    InferenceLost,
    InvalidRequest,
    NoOutput,
    NotAuthorized,
    OutputRemoved,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedResponse,
)
from inference_results.domain.record.errors import InferenceResultsError
from tests.cli.fake_client import FAILED, record


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
        (UnexpectedResponse("HTTP 404: check api_url", 404), 5),
        (OutputUnavailable("one", "AccessDenied", "cannot read the output"), 5),
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


def test_an_ambiguous_id_names_the_endpoints_and_the_option(run, client):
    client.error = AmbiguousInference("one", ["speech", "ocr"])
    result = run("get", "one")
    assert "speech, ocr" in result.stderr
    assert "--endpoint" in result.stderr


def test_an_unlisted_error_of_the_package_has_no_traceback(run, client):
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
def test_arguments_that_are_not_utf8_are_rejected(run, client, arguments):
    result = run(*arguments)
    assert (result.exit_code, client.calls) == (2, [])
    assert "expected UTF-8 text" in result.stderr


def test_a_bug_keeps_its_traceback(run, client):
    client.error = KeyError("bug")
    assert isinstance(run("get", "one").exception, KeyError)


def test_ctrl_c_exits_with_130(run, client):
    client.error = KeyboardInterrupt()
    result = run("wait", "one")
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_does_not_wait_for_open_requests():
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
            open_requests = [service.accept() for _ in range(2)]
            command.send_signal(signal.SIGINT)
            _, stderr = command.communicate(timeout=5)
        for connection, _ in open_requests:
            connection.close()
    assert (command.returncode, stderr) == (130, b"")


def test_an_error_is_red_on_a_terminal(run, terminal):
    assert "\x1b[31m" in run("get", "unknown").stderr


def test_no_color_turns_colours_off(run, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("get", "unknown").stderr


def test_an_error_in_a_pipe_has_no_colour(run):
    assert run("get", "unknown").stderr == "unknown: no record exists for this id\n"


def test_a_missing_argument_exits_with_2(run):
    assert run("get").exit_code == 2


def test_without_the_extra_the_command_names_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from inference_results import cli"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; cli.main()"],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "async-inference-results[cli]" in result.stderr
