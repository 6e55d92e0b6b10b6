from datetime import UTC, datetime, timedelta, timezone

import pytest

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.summaries.summarize import SummarizeEndpoint
from tests.fakes import NOW

TODAY = "2026-01-25"
SECONDS = int(NOW.timestamp())


class FakeSummaries:
    def __init__(self, *items):
        self.items = items
        self.asked = []

    def read(self, endpoint_name, since, until):
        self.asked.append((endpoint_name, since, until))
        return [item for item in self.items if since <= item["day_writer"][:10] <= until]


def item(day, writer="shard", expires_at=SECONDS + 60, **counters):
    return {
        "endpoint_name": "here",
        "day_writer": f"{day}#{writer}",
        "last_sequence": "7",
        "expires_at": expires_at,
        **{name.replace("_", "#", 1): value for name, value in counters.items()},
    }


def summary(*items, now=NOW, **asked):
    return SummarizeEndpoint(summaries=FakeSummaries(*items), now=lambda: now)("here", **asked)


def days_asked(now=NOW, **asked):
    summaries = FakeSummaries()
    SummarizeEndpoint(summaries=summaries, now=lambda: now)("here", **asked)
    ((_, since, until),) = summaries.asked
    return since, until


def test_counts_and_latencies_of_a_day_are_told():
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


def test_what_several_writers_counted_is_added_up():
    (day,) = summary(
        item(TODAY, "one", status_Completed=2, status_Failed=1, latency_60=2),
        item(TODAY, "two", status_Completed=1, status_Failed=-1, latency_60=-1, latency_70=1),
    )["days"]
    assert day["counts"] == {"Completed": 3}
    assert [each["count"] for each in day["latency"]["histogram"]] == [1, 1]


def test_days_come_newest_first_and_only_those_with_results():
    days = summary(
        item("2026-01-20", status_Completed=1),
        item("2026-01-21", status_Completed=0),
        item("2026-01-22"),
        item(TODAY, status_Failed=1),
    )["days"]
    assert [day["day"] for day in days] == [TODAY, "2026-01-20"]


def test_without_latencies_there_is_no_latency():
    assert summary(item(TODAY, status_Completed=1, latency_3=0))["days"] == [
        {"day": TODAY, "counts": {"Completed": 1}}
    ]


def test_a_day_past_its_retention_is_not_told():
    assert summary(item(TODAY, expires_at=SECONDS, status_Completed=1))["days"] == []


def test_a_status_that_holds_separators_is_told_as_it_is():
    (day,) = summary(item(TODAY) | {"status#Pre#empted: 50 %": 1})["days"]
    assert day["counts"] == {"Pre#empted: 50 %": 1}


def test_the_last_seven_days_are_told_unless_others_are_asked_for():
    assert days_asked() == ("2026-01-19", TODAY)
    assert days_asked(since="2026-01-01") == ("2026-01-01", TODAY)
    assert days_asked(until="2025-12-31") == ("2025-12-25", "2025-12-31")
    assert days_asked(since=TODAY, until=TODAY) == (TODAY, TODAY)
    assert days_asked(until="0001-01-03") == ("0001-01-01", "0001-01-03")


def test_today_is_that_of_utc():
    late = datetime(2026, 1, 25, 23, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert days_asked(now=late)[1] == "2026-01-26"
    assert late.astimezone(UTC).day == 26


def test_thirty_one_days_are_told_and_no_more():
    assert days_asked(since="2025-12-26") == ("2025-12-26", TODAY)
    with pytest.raises(InvalidParameter) as refused:
        days_asked(since="2025-12-25")
    assert refused.value.parameter == "since"


@pytest.mark.parametrize(
    ("asked", "parameter"),
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
def test_a_malformed_day_names_its_parameter(asked, parameter):
    with pytest.raises(InvalidParameter) as refused:
        days_asked(**asked)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("endpoint_name", ["", "x" * 257])
def test_a_malformed_endpoint_name_is_refused(endpoint_name):
    with pytest.raises(InvalidParameter) as refused:
        SummarizeEndpoint(summaries=FakeSummaries(), now=lambda: NOW)(endpoint_name)
    assert refused.value.parameter == "endpoint_name"
