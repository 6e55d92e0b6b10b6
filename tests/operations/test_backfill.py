"""The command `backfill`, on moto's S3 and DynamoDB."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from typer.testing import CliRunner

from inference_results.adapters.table.results import ResultStore
from inference_results.cli.app import app
from inference_results.client import (
    Client,
    InvalidRequest,
    NotAuthorized,
    OutputRemoved,
    UnexpectedResponse,
)
from inference_results.client.flows.requests import GetOutput, OutputLink
from inference_results.client.transports.table import TableBackend
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.location import Location
from inference_results.domain.record.order import event_order
from inference_results.domain.record.result import Output, Result
from inference_results.operations.backfill import RecordingOptions, TableBackfill
from tests.cli.terminal import use_terminal

BUCKET = "customer-outputs"
PREFIX = f"s3://{BUCKET}/async/"
SHARDS = 4
NOON = "2026-01-01T12:00:00.000Z"
# The objects of these tests were just written.
NOW = ("--since", "1h", "--until", "2100-01-01T00:00:00Z")


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def put(s3):
    def put(*names: str, body: bytes = b"here") -> None:
        for name in names:
            s3.put_object(Bucket=BUCKET, Key=f"async/{name}", Body=body)

    return put


@pytest.fixture
def items(table_name):
    """Return a function that reads the table's items, by location."""

    def items():
        found = boto3.resource("dynamodb").Table(table_name).scan()["Items"]
        return {item["output"]["location"]: item for item in found}

    return items


@pytest.fixture
def recorded(table_name):
    """Return a function that records a notification about an object."""

    def recorded(name: str) -> None:
        order = event_order(event_time=NOON, status="Completed", location=None, digest="a")
        location = Location(BUCKET, f"async/{name}")
        ResultStore(boto3.client("dynamodb"), table_name, SHARDS).record(
            Result(
                inference_id=f"id of {name}",
                endpoint_name="speech",
                status="Completed",
                event_time=NOON,
                event_order=order,
                recorded_at=NOON,
                expires_at=4_000_000_000,
                output=Output(location=location.uri, bucket=BUCKET, key=location.key),
            )
        )

    return recorded


@pytest.fixture
def run(table_name, s3, monkeypatch):
    for name in ("API_URL", "TABLE", "SHARDS", "SUMMARIES_TABLE", "TOKEN"):
        monkeypatch.delenv(f"INFERENCE_RESULTS_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    table = {"INFERENCE_RESULTS_TABLE": table_name, "INFERENCE_RESULTS_SHARDS": str(SHARDS)}

    def run(*options: str, before=(), env=table) -> Result:
        arguments = [*before, "backfill", "--prefix", PREFIX, *NOW, *options]
        return CliRunner().invoke(app, arguments, env=env)

    return run


@pytest.fixture
def terminal(monkeypatch):
    use_terminal(monkeypatch)


def totals(result: Result) -> dict[str, int]:
    pairs = (line.split("\t") for line in result.stdout.splitlines())
    return {name: int(number) for name, number in pairs}


# Records


def test_outputs_without_a_record_are_recorded_and_found_again(
    run, put, recorded, items, table_name
):
    put("known", "new", "folder/", body=b"")
    put("a b+c%20d#e?f.out", body=b"0123456789")
    recorded("known")
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    assert totals(result) == {"listed": 4, "already_recorded": 1, "recorded": 2, "skipped": 1}
    location = f"{PREFIX}a b+c%20d#e?f.out"
    found = items()[location]
    assert (found["source"], found["status"], found["endpoint_name"]) == (
        "backfill",
        "Completed",
        "-",
    )
    assert found["output"]["size"] == 10
    with Client.on_table(table_name, shards=SHARDS) as client:
        listed = [each.inference_id for each in client.list(endpoint="-")]
        assert found["inference_id"] in listed
        assert client.get(found["inference_id"]).source == "backfill"


def test_a_second_run_records_nothing_and_changes_nothing(run, put, items):
    put("a", "b")
    run()
    before = items()
    assert totals(run()) == {"listed": 2, "already_recorded": 2, "recorded": 0, "skipped": 0}
    assert items() == before


def test_a_record_has_the_time_of_the_object_and_expires_after_the_retention(run, put, items, s3):
    put("a")
    run("--endpoint", "speech", "--retention-days", "7")
    written = s3.head_object(Bucket=BUCKET, Key="async/a")["LastModified"]
    (found,) = items().values()
    assert datetime.fromisoformat(found["event_time"]) == written
    assert found["endpoint_name"] == "speech"
    expires_at = datetime.fromtimestamp(int(found["expires_at"]), UTC)
    assert abs(expires_at - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=5)


def test_the_endpoint_can_be_set_before_the_command(run, put, items):
    put("a")
    run(before=["--endpoint", "speech"])
    assert {item["endpoint_name"] for item in items().values()} == {"speech"}


def test_only_the_listed_version_of_an_output_can_be_downloaded(run, put, items, table_name):
    put("a")
    run()
    (found,) = items().values()
    backend = TableBackend(table_name, shards=SHARDS)
    assert isinstance(backend.send(GetOutput(found["inference_id"])), OutputLink)
    put("a", body=b"another")
    assert isinstance(backend.send(GetOutput(found["inference_id"])), OutputRemoved)
    backend.close()


def test_outputs_of_the_last_hour_are_skipped(run, put, items, table_name):
    put("a")
    env = {"INFERENCE_RESULTS_TABLE": table_name, "INFERENCE_RESULTS_SHARDS": str(SHARDS)}
    arguments = ["backfill", "--prefix", PREFIX, "--since", "7d"]
    result = CliRunner().invoke(app, arguments, env=env)
    assert totals(result) == {"listed": 1, "already_recorded": 0, "recorded": 0, "skipped": 1}


# Dry runs and partial runs


def test_a_dry_run_prints_what_would_be_recorded_and_writes_nothing(run, put, recorded, items):
    put("known", "tab\there", body=b"0123456789")
    recorded("known")
    before = items()
    result = run("--dry-run")
    (line,) = result.stdout.splitlines()
    time, size, location = line.split("\t")
    assert datetime.now(UTC) - datetime.fromisoformat(time) < timedelta(minutes=5)
    assert (size, location) == ("10", rf"{PREFIX}tab\there")
    assert result.stderr == "listed 2, already recorded 1, unrecorded 1, skipped 0\n"
    assert items() == before


def test_a_dry_run_in_json_has_the_exact_location_and_the_future_id(run, put, items):
    put("ä\t1")
    (line,) = run("--dry-run", "--json").stdout.splitlines()
    document = json.loads(line)
    assert document["location"] == f"{PREFIX}ä\t1"
    assert document["size"] == 4
    run()
    (found,) = items().values()
    assert found["inference_id"] == document["inference_id"]
    assert found["event_time"] == document["last_modified"]


def test_the_totals_in_json_are_one_object(run, put):
    put("a", "b")
    result = run("--json")
    assert json.loads(result.stdout) == {
        "listed": 2,
        "already_recorded": 0,
        "recorded": 2,
        "skipped": 0,
        "last_key": "async/b",
    }


def test_a_run_stops_at_the_limit_and_resumes_after_a_key(run, put, items):
    put("a", "b c", "d", "e")
    first = run("--limit", "2", "--json")
    assert first.stderr == (
        "reached the limit (listed 2, already recorded 0, recorded 2, skipped 0):"
        " continue with --start-after 'async/b c'\n"
    )
    assert len(items()) == 2
    second = run("--start-after", json.loads(first.stdout)["last_key"])
    assert (totals(second)["listed"], totals(second)["recorded"], second.stderr) == (2, 2, "")
    assert len(items()) == 4


def test_a_limit_that_is_not_reached_is_not_mentioned(run, put):
    put("a")
    assert run("--limit", "2").stderr == ""


# On a terminal


def test_on_a_terminal_the_totals_are_one_line_and_the_progress_bar_is_on_stderr(
    run, put, terminal
):
    put("a", "b")
    result = run()
    assert result.stdout == "listed 2, already recorded 0, recorded 2, skipped 0\n"
    assert "listing objects" in result.stderr


def test_keys_cannot_control_the_terminal(run, put, terminal):
    put("[red]x[/] \x1b[2J")
    stdout = run("--dry-run").stdout
    assert "\x1b[2J" not in stdout
    assert rf"{PREFIX}[red]x[/] \x1b[2J" in stdout


# Invalid usage


def test_backfill_requires_a_table(run):
    result = run(env={"INFERENCE_RESULTS_API_URL": "https://api.example"})
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--table" in result.stderr


def test_backfill_uses_the_table_even_if_an_api_is_set(run, put, table_name):
    put("a")
    env = {
        "INFERENCE_RESULTS_TABLE": table_name,
        "INFERENCE_RESULTS_SHARDS": str(SHARDS),
        "INFERENCE_RESULTS_API_URL": "https://api.example",
    }
    assert totals(run(env=env))["recorded"] == 1


def test_a_table_requires_its_number_of_shards(run, table_name):
    result = run(env={"INFERENCE_RESULTS_TABLE": table_name})
    assert (result.exit_code, "--shards" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "options",
    [
        ["--prefix", "customer-outputs/async/"],
        ["--prefix", "https://customer-outputs.s3.amazonaws.com/async/"],
        ["--prefix", "s3://customer-outputs/\udcff"],
        ["--prefix", "s3://no-such-bucket/"],
        ["--start-after", "\udcff"],
        ["--since", "2100-01-01T00:00:00Z"],
        ["--since", "yesterday"],
        ["--limit", "0"],
        ["--retention-days", "0"],
        ["--endpoint", "a#b"],
    ],
)
def test_invalid_usage_exits_with_2_and_writes_nothing(run, put, items, options):
    put("a")
    result = run(*options)
    assert (result.exit_code, result.stdout, items()) == (2, "", {})
    assert "Traceback" not in result.stderr


def test_a_missing_table_is_reported_in_one_line(run):
    result = run(before=["--table", "none"])
    assert (result.exit_code, result.stderr) == (
        2,
        "table: no table with this name in this account and region\n",
    )


def test_a_missing_bucket_is_reported_before_the_table_is_read(run, monkeypatch):
    scanned = []
    monkeypatch.setattr(TableBackfill, "recorded_locations", lambda self: scanned.append("scan"))
    result = run("--prefix", "s3://no-such-bucket/")
    assert (result.exit_code, result.stderr) == (2, "prefix: no bucket with this name exists\n")
    assert scanned == []


# Interrupted runs


def stop_after(monkeypatch, writes: int, stop) -> None:
    """Call `stop` before the write that follows so many others."""
    record = ResultStore.record
    remaining = iter(range(writes))

    def limited(self, outcome):
        if next(remaining, None) is None:
            stop()
        return record(self, outcome)

    monkeypatch.setattr(ResultStore, "record", limited)
    monkeypatch.setattr("inference_results.operations.backfill.CONCURRENT_WRITES", 1)


def deny():
    response = {
        "Error": {"Code": "AccessDeniedException"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    raise ClientError(response, "UpdateItem")


def test_after_an_error_the_last_key_is_printed_and_written_records_stay(
    run, put, items, monkeypatch
):
    put("a", "b", "c", "d")
    with monkeypatch.context() as patch:
        stop_after(patch, 2, deny)
        result = run()
    assert (result.exit_code, result.stdout) == (5, "")
    advice, error = result.stderr.splitlines()
    assert advice.endswith("recorded 2, skipped 0): continue with --start-after async/b")
    assert error.startswith("UpdateItem: access denied")
    assert len(items()) == 2
    assert totals(run("--start-after", "async/b"))["recorded"] == 2
    assert totals(run())["already_recorded"] == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_signal_the_exit_code_is_130_and_the_last_key_is_printed(
    run, put, items, monkeypatch, number
):
    put("a", "b", "c", "d")
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        stop_after(patch, 2, lambda: os.kill(os.getpid(), number))
        result = run("--start-after", "async/")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "continue with --start-after async/" in result.stderr
    assert signal.getsignal(signal.SIGTERM) is before
    run()
    assert len(items()) == 4


def test_an_interrupted_scan_resumes_at_the_original_key(run, monkeypatch):
    monkeypatch.setattr(TableBackfill, "recorded_locations", lambda self: interrupted())
    assert "continue" not in run().stderr
    assert "--start-after async/m" in run("--start-after", "async/m").stderr


def interrupted():
    raise KeyboardInterrupt
    yield


# Errors


def aws_error(code):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {}}, "Scan")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (aws_error("AccessDenied"), NotAuthorized),
        (aws_error("ExpiredTokenException"), NotAuthorized),
        (aws_error("NoSuchBucket"), InvalidRequest),
        (aws_error("ValidationException"), InvalidRequest),
        (aws_error("SomethingNew"), UnexpectedResponse),
        (NoCredentialsError(), NotAuthorized),
        (Unavailable("dynamodb", "ThrottlingException"), Unavailable),
    ],
)
def test_aws_errors_are_translated_as_in_the_client(table_name, monkeypatch, raised, expected):
    class Failing:
        def __iter__(self):
            raise raised

    with TableBackfill(table_name, shards=SHARDS) as backfill:
        monkeypatch.setattr(backfill, "_locations", Failing())
        with pytest.raises(expected) as error:
            list(backfill.recorded_locations())
    assert type(error.value) is expected


@pytest.mark.parametrize("name", ["", "a#b", "a b", "x" * 64, "ä"])
def test_an_invalid_endpoint_name_is_rejected(name):
    with pytest.raises(InvalidRequest, match="endpoint"):
        RecordingOptions(endpoint_name=name, retention=timedelta(days=1))
