"""The command `summary`."""

import json
from datetime import date, timedelta

import pytest

from inference_results.client import DaySummary, Latency, LatencyBucket

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


def test_summary_in_a_pipe_is_one_line_per_day(run, client):
    client.days = DAYS
    assert run("summary", "speech").stdout.splitlines() == [
        "2026-11-23\tCompleted=12 Failed=1\t812\t2210\t5400",
        "2026-11-22\tExpired=2\t\t\t",
    ]


def test_summary_json_has_the_format_of_the_api(run, client):
    client.days = DAYS
    document = json.loads(run("summary", "speech", "--json").stdout)
    assert document["endpoint_name"] == "speech"
    assert document["days"][0]["latency"]["histogram"][0] == {"up_to_ms": 900, "count": 12}
    assert document["days"][1] == {"day": "2026-11-22", "counts": {"Expired": 2}}


def test_summary_on_a_terminal_shows_counts_percentiles_and_a_histogram(run, client, terminal):
    client.days = DAYS
    stdout = run("summary", "speech").stdout
    assert "Expired" in stdout
    assert "5400" in stdout
    assert "#" * 40 + " 12" in stdout
    assert "#### 1" in stdout


def test_the_days_of_a_summary_include_today(run, client):
    run("summary", "speech", "--days", "3")
    days = client.calls[0][2]
    assert days["until"] - days["since"] == timedelta(days=2)


def test_summary_accepts_the_endpoint_before_the_command(run, client):
    client.days = DAYS
    result = run("--endpoint", "speech", "summary", "--json")
    assert client.calls[0][1] == json.loads(result.stdout)["endpoint_name"] == "speech"
    run("--endpoint", "speech", "summary", "ocr")
    assert client.calls[2][1] == "ocr"


def test_summary_requires_an_endpoint(run, client):
    result = run("summary")
    assert (result.exit_code, client.calls) == (2, [])
    assert result.stderr == "no endpoint given: pass its name\n"


def test_a_summary_without_results_is_not_an_error(run):
    result = run("summary", "speech")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize("days", ["0", "32"])
def test_summary_rejects_an_invalid_number_of_days(run, days):
    assert run("summary", "speech", "--days", days).exit_code == 2
