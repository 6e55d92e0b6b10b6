from datetime import UTC, datetime, timedelta, timezone

import pytest

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.summaries.summarize import SummarizeEndpoint
from tests.support.fakes import NOW

TODAY = "2026-01-25"
SECONDS = int(NOW.timestamp())


class FakeSummaries:
    def __init__(self, *items):
        self.items = items
        self.ranges = []

    def read(self, endpoint_name, since, until):
        self.ranges.append((endpoint_name, since, until))
        return [item for item in self.items if since <= item["day_writer"][:10] <= until]


def item(day, writer="shard", expires_at=SECONDS + 60, **counters):
    return {
        "endpoint_name": "here",
        "day_writer": f"{day}#{writer}",
        "last_sequence": "7",
        "expires_at": expires_at,
        **{name.replace("_", "#", 1): value for name, value in counters.items()},
    }


def summary(*items, now=NOW, **days):
    return SummarizeEndpoint(summaries=FakeSummaries(*items), now=lambda: now)("here", **days)


def days_read(now=NOW, **days):
    summaries = FakeSummaries()
    SummarizeEndpoint(summaries=summaries, now=lambda: now)("here", **days)
    ((_, since, until),) = summaries.ranges
    return since, until


def test_a_day_has_counts_and_latencies():
    assert summary(item(TODAY, status_Completed=2, status_Failed=1, latency_67=2)) == {
        "endpoint_name": "here",
        "days": [
            {
                "day": TODAY,
                "counts": {"Completed": 2, "Failed": 1},
                "latency": {
                    "count": 2,
                    "p50_ms": 776,
                    "p90_ms": 776,
                    "p99_ms": 776,
                    "histogram": [{"up_to_ms": 816, "count": 2}],
                },
            }
        ],
    }


def test_the_counters_of_all_writers_are_added():
    (day,) = summary(
        item(TODAY, "one", status_Completed=2, status_Failed=1, latency_60=2),
        item(TODAY, "two", status_Completed=1, status_Failed=-1, latency_60=-1, latency_70=1),
    )["days"]
    assert day["counts"] == {"Completed": 3}
    assert [each["count"] for each in day["latency"]["histogram"]] == [1, 1]


def test_days_with_results_are_returned_newest_first():
    days = summary(
        item("2026-01-20", status_Completed=1),
        item("2026-01-21", status_Completed=0),
        item("2026-01-22"),
        item(TODAY, status_Failed=1),
    )["days"]
    assert [day["day"] for day in days] == [TODAY, "2026-01-20"]


def test_a_day_without_latencies_has_no_latency():
    assert summary(item(TODAY, status_Completed=1, latency_3=0))["days"] == [
        {"day": TODAY, "counts": {"Completed": 1}}
    ]


def test_an_expired_day_is_not_returned():
    assert summary(item(TODAY, expires_at=SECONDS, status_Completed=1))["days"] == []


def test_a_status_can_contain_separators():
    (day,) = summary(item(TODAY) | {"status#Pre#empted: 50 %": 1})["days"]
    assert day["counts"] == {"Pre#empted: 50 %": 1}


def test_the_default_is_the_last_seven_days():
    assert days_read() == ("2026-01-19", TODAY)
    assert days_read(since="2026-01-01") == ("2026-01-01", TODAY)
    assert days_read(until="2025-12-31") == ("2025-12-25", "2025-12-31")
    assert days_read(since=TODAY, until=TODAY) == (TODAY, TODAY)
    assert days_read(until="0001-01-03") == ("0001-01-01", "0001-01-03")


def test_today_is_in_utc():
    late = datetime(2026, 1, 25, 23, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert days_read(now=late)[1] == "2026-01-26"
    assert late.astimezone(UTC).day == 26


def test_a_summary_has_at_most_thirty_one_days():
    assert days_read(since="2025-12-26") == ("2025-12-26", TODAY)
    with pytest.raises(InvalidParameter) as raised:
        days_read(since="2025-12-25")
    assert raised.value.parameter == "since"


@pytest.mark.parametrize(
    ("days", "parameter"),
    [
        ({"since": "2026-01-26"}, "since"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": ""}, "since"),
        ({"since": "20260101"}, "since"),
        ({"until": "2026-W01-1"}, "until"),
        ({"until": "2026-02-30"}, "until"),
        ({"until": "2026-01-01T00:00:00Z"}, "until"),
        ({"until": "2026-1-1"}, "until"),
    ],
)
def test_an_invalid_day_names_its_parameter(days, parameter):
    with pytest.raises(InvalidParameter) as raised:
        days_read(**days)
    assert raised.value.parameter == parameter


@pytest.mark.parametrize("endpoint_name", ["", "x" * 257])
def test_an_invalid_endpoint_name_is_rejected(endpoint_name):
    with pytest.raises(InvalidParameter) as raised:
        SummarizeEndpoint(summaries=FakeSummaries(), now=lambda: NOW)(endpoint_name)
    assert raised.value.parameter == "endpoint_name"
