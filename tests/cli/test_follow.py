"""Follow a list."""

from datetime import UTC, datetime, timedelta

import pytest

from inference_results.cli.follow import LOOKBACK, Follower
from inference_results.client import ServiceUnavailable
from tests.cli.fake_client import record

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Stopped(Exception):
    """Ends the loop of a follower."""


def follow(client, polls, **options):
    """Return what a follower yields in so many polls, as (id, status)."""
    remaining = iter(range(polls))

    def sleep(seconds):
        if next(remaining, None) is None:
            raise Stopped

    # The first query only finds the newest record.
    client.lists.insert(0, client.lists[0])
    defaults = {
        "endpoint": "speech",
        "status": None,
        "since": None,
        "limit": 50,
        "now": lambda: NOW,
    }
    follower = Follower(client=client, interval_seconds=5, sleep=sleep, **defaults | options)
    found = []
    with pytest.raises(Stopped):
        found.extend((each.inference_id, each.status) for each in follower)
    return found


def test_follow_starts_with_the_last_records_oldest_first(client):
    a, b, c = record("a"), record("b"), record("c")
    client.lists = [[c, b, a], [c, b, a]]
    assert follow(client, 0, limit=2) == [("b", "Completed"), ("c", "Completed")]


def test_follow_yields_records_with_equal_times_once_each(client):
    a, b, c = record("a"), record("b"), record("c")
    client.lists = [[a], [a], [a, b], [c, a, b], [c, a, b]]
    found = follow(client, 3)
    assert [name for name, _ in found] == ["a", "b", "c"]


def test_follow_yields_a_record_that_arrives_between_its_first_queries_once(client):
    a, b = record("a"), record("b")
    client.lists = [[a], [b, a], [b, a]]
    assert [name for name, _ in follow(client, 1)] == ["a", "b"]


def test_follow_skips_existing_records_beyond_the_limit(client):
    a, b, c = record("a"), record("b"), record("c")
    client.lists = [[b, a], [c, b, a]]
    assert [name for name, _ in follow(client, 1, limit=0)] == ["c"]


def test_follow_yields_an_inference_again_when_its_status_changes(client):
    running, ended = record("a", "InProgress"), record("a")
    client.lists = [[running], [running], [ended], [ended]]
    assert follow(client, 2) == [("a", "InProgress"), ("a", "Completed")]


def test_follow_yields_nothing_twice_when_the_index_goes_back_in_time(client):
    a, b = record("a"), record("b")
    client.lists = [[b, a], [b, a], [a], [b, a]]
    assert [name for name, _ in follow(client, 2)] == ["a", "b"]


RECORDED = datetime(2026, 11, 23, 10, tzinfo=UTC)
FUTURE = record("a", event_time="2036-11-23T10:00:00.000Z")


@pytest.mark.parametrize(
    ("newest", "now", "since", "expected_start"),
    [
        (record("a"), NOW, None, RECORDED - LOOKBACK),
        (record("a"), NOW, RECORDED, RECORDED),
        (record("a"), RECORDED + timedelta(days=365), None, RECORDED - LOOKBACK),
        (FUTURE, NOW, None, NOW - LOOKBACK),
    ],
    ids=["late records", "not before since", "local clock is ahead", "record is ahead"],
)
def test_follow_queries_from_shortly_before_the_newest_record(
    client, newest, now, since, expected_start
):
    client.lists = [[newest]] * 3
    follow(client, 1, since=since, now=lambda: now)
    starts = [call[1]["since"] for call in client.calls]
    assert starts == [since, expected_start, since, expected_start]


@pytest.mark.parametrize("since", [None, NOW])
def test_follow_yields_the_first_record_of_an_empty_list(client, since):
    client.lists = [[], [], [record("a")]]
    found = follow(client, 1, since=since, limit=50)
    assert found == [("a", "Completed")]
    assert [call[1]["since"] for call in client.calls] == [since] * 4


def test_follow_remembers_only_the_records_of_its_last_two_queries(client):
    client.lists = [[], [], [], *([record(str(number))] for number in range(50))]
    follower = Follower(
        client=client,
        endpoint="speech",
        status=None,
        since=None,
        limit=50,
        interval_seconds=5,
        now=lambda: NOW,
        sleep=lambda seconds: None,
    )
    records = iter(follower)
    for _ in range(50):
        next(records)
    assert len(follower._last_window | follower._window_before) == 2


def test_follow_continues_after_the_service_was_unavailable(client, capsys):
    a, b = record("a"), record("b")
    client.lists = [[a], [a], ServiceUnavailable("not reached"), [b, a]]
    assert [name for name, _ in follow(client, 2)] == ["a", "b"]
    assert capsys.readouterr().err == "not reached; trying again\n"
