"""The command `submit`."""

import json

import pytest
from typer.testing import CliRunner

from inference_results.cli.app import app
from inference_results.client import IdempotencyKeyReused, InvocationRejected
from tests.cli.fake_client import API, BINARY, FAILED, record

SUBMIT = ("submit", "speech", "s3://bucket/in/1", "--key", "order-7")


def test_submit_passes_all_options_to_the_client(run, client):
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


def test_submit_passes_only_the_options_that_are_set(run, client):
    run(*SUBMIT)
    assert client.calls[0][3] == {"idempotency_key": "order-7"}


def test_submit_reads_the_task_token_from_a_variable_and_never_prints_it(run, client):
    env = API | {"INFERENCE_RESULTS_TASK_TOKEN": "SECRET"}
    result = run(*SUBMIT, env=env)
    assert client.calls[0][3] == {"idempotency_key": "order-7", "task_token": "SECRET"}
    help_text, wrong = run("submit", "--help", env=env), run(*SUBMIT[:3], env=env)
    assert "SECRET" not in "".join(each.stdout + each.stderr for each in (result, help_text, wrong))


def test_submit_reads_a_file(run, client, tmp_path):
    (tmp_path / "in").write_bytes(BINARY)
    run("submit", "speech", str(tmp_path / "in"), "--key", "one")
    assert client.calls[0][2] == BINARY


def test_submit_reads_standard_input(clients, client):
    arguments = ["submit", "speech", "-", "--key", "one"]
    result = CliRunner().invoke(app, arguments, env=API, input=BINARY)
    assert result.exit_code == 0
    assert client.calls[0][2] == BINARY


def test_submit_rejects_a_missing_file(run, client, tmp_path):
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
def test_submit_rejects_invalid_usage(run, client, arguments):
    assert (run(*arguments).exit_code, client.calls) == (2, [])


def test_submit_prints_the_record_like_get_whatever_its_status(run, client):
    client.submitted = FAILED
    submitted = run(*SUBMIT)
    assert (submitted.exit_code, submitted.stdout) == (0, run("get", "two").stdout)
    as_json = run(*SUBMIT, "--json")
    assert json.loads(as_json.stdout) == FAILED.raw


@pytest.mark.parametrize(
    ("inference", "code"), [(record(), 0), (FAILED, 1), (record(status="InProgress"), 4)]
)
def test_the_exit_code_of_submit_wait_depends_on_the_outcome(run, client, inference, code):
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
            "one: the idempotency key belongs to another request; use another key\n",
        ),
        (
            InvocationRejected("ValidationError", "no such endpoint"),
            "SageMaker rejected the request: ValidationError: no such endpoint\n",
        ),
    ],
)
def test_submit_reports_rejected_requests(run, client, error, line):
    client.error = error
    result = run(*SUBMIT)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", line)
