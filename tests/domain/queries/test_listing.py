from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.record.errors import InvalidParameter
from tests.support.fake_listing import FakeListing, item
from tests.support.fakes import NOW

SECONDS = int(NOW.timestamp())
NOON = "2026-01-25T12:00:00.000Z"


def lister(*items, key=b"key"):
    return ListInferences(inferences=FakeListing(*items), now=lambda: NOW, cursor_key=key)


def ids(page):
    return [each["inference_id"] for each in page["inferences"]]


def test_an_endpoint_is_listed_newest_first():
    items = [item("old", 0), item("new", 2), item("other", 3, endpoint_name="there")]
    page = lister(*items)(endpoint_name="here")
    assert ids(page) == ["new", "old"]
    assert "next_cursor" not in page


def test_a_listed_record_has_no_index_keys():
    (listed,) = lister(item(failure={"code": "UNKNOWN"}))(endpoint_name="here")["inferences"]
    assert listed == {
        "inference_id": "one",
        "endpoint_name": "here",
        "status": "Completed",
        "event_time": NOON,
        "failure": {"code": "UNKNOWN"},
        "expires_at": "2026-01-25T12:01:00.000Z",
    }


def test_a_status_is_listed_over_all_endpoints():
    items = [item("a", 1, "Failed"), item("b", 2, "Failed", "there"), item("c", 3)]
    assert ids(lister(*items)(status="Failed")) == ["b", "a"]


def test_a_status_on_an_endpoint_is_listed():
    items = [item("a", 1, "Failed"), item("b", 2, "Failed", "there"), item("c", 3)]
    assert ids(lister(*items)(status="Failed", endpoint_name="here")) == ["a"]
    assert ids(lister(*items)(status="Completed", endpoint_name="here")) == ["c"]


@pytest.mark.parametrize("status", ["failed", "FAILED", "Failed"])
def test_a_status_is_case_insensitive(status):
    assert ids(lister(item(status="Failed"))(status=status)) == ["one"]


def test_since_is_inclusive_and_until_is_exclusive():
    items = [item(str(n), n) for n in range(5)]
    page = lister(*items)(
        endpoint_name="here", since="2026-01-25T12:00:01Z", until="2026-01-25T13:00:03+01:00"
    )
    assert ids(page) == ["2", "1"]


def test_an_expired_record_is_not_listed():
    items = [item("old", 0, expires_at=SECONDS), item("new", 1)]
    assert ids(lister(*items)(endpoint_name="here")) == ["new"]


@given(
    seconds=st.lists(st.integers(0, 5), max_size=30),
    limit=st.integers(1, 7),
)
def test_pages_hold_every_record_once_and_in_order_even_with_equal_times(seconds, limit):
    items = [item(f"{number:02}", second) for number, second in enumerate(seconds)]
    list_inferences = lister(*items)
    listed, cursor = [], None
    while True:
        page = list_inferences(endpoint_name="here", limit=limit, cursor=cursor)
        listed += page["inferences"]
        assert len(page["inferences"]) <= limit
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    expected = sorted(items, key=lambda each: each["endpoint_sort"], reverse=True)
    assert ids({"inferences": listed}) == [each["inference_id"] for each in expected]


def test_the_last_page_has_no_cursor():
    items = [item(str(n), n) for n in range(3)]
    assert "next_cursor" not in lister(*items)(endpoint_name="here", limit=3)


def test_a_page_of_a_rare_status_reads_a_bounded_number_of_items():
    items = [item(f"{n:04}", n, "Failed") for n in range(500)] + [item("rare", -1)]
    list_inferences = lister(*items)
    parameters = {"endpoint_name": "here", "status": "Completed", "limit": 10}
    page = list_inferences(**parameters)
    assert ids(page) == []
    assert list_inferences.inferences.examined <= 201
    while "next_cursor" in page:
        page = list_inferences(**parameters, cursor=page["next_cursor"])
    assert ids(page) == ["rare"]


def a_cursor(key=b"key", **parameters):
    items = [item(str(n), n, "Failed") for n in range(3)]
    return lister(*items, key=key)(**parameters, limit=1)["next_cursor"]


@pytest.mark.parametrize(
    "other",
    [
        {"endpoint_name": "there"},
        {"endpoint_name": "here", "status": "Failed"},
        {"endpoint_name": "here", "since": NOON},
        {"endpoint_name": "here", "until": NOON},
        {"status": "Failed"},
    ],
)
def test_a_cursor_for_other_parameters_is_rejected(other):
    with pytest.raises(InvalidParameter, match=r"cursor: expected .* same other parameters"):
        lister()(**other, cursor=a_cursor(endpoint_name="here"))


@given(position=st.integers(0, 200), replacement=st.characters(codec="ascii"))
def test_a_tampered_cursor_is_rejected(position, replacement):
    cursor = a_cursor(endpoint_name="here")
    position %= len(cursor)
    # The last base64 character has unused bits; + and / are decoded like - and _.
    same = replacement.translate(str.maketrans("+/", "-_")) == cursor[position]
    if same or position == len(cursor) - 1:
        return
    tampered = cursor[:position] + replacement + cursor[position + 1 :]
    with pytest.raises(InvalidParameter, match="cursor: expected"):
        lister()(endpoint_name="here", cursor=tampered)


@pytest.mark.parametrize("cursor", ["", "x", "a.b.c", "é", "x" * 1025, "W10.aaaaaa.bbbb"])
def test_a_malformed_cursor_is_rejected(cursor):
    with pytest.raises(InvalidParameter, match="cursor: expected"):
        lister()(endpoint_name="here", cursor=cursor)


def test_a_cursor_of_another_deployment_is_rejected():
    cursor = a_cursor(key=b"another key", endpoint_name="here")
    with pytest.raises(InvalidParameter, match="cursor"):
        lister()(endpoint_name="here", cursor=cursor)


def test_a_cursor_expires_after_a_day(monkeypatch):
    cursor = a_cursor(endpoint_name="here")
    issued = datetime.now(UTC).timestamp()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: issued + 86_390)
    lister()(endpoint_name="here", cursor=cursor)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: issued + 86_410)
    with pytest.raises(InvalidParameter, match="cursor: expected a cursor of the last 24 hours"):
        lister()(endpoint_name="here", cursor=cursor)


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({}, "endpoint"),
        ({"status": "Completed"}, "endpoint"),
        ({"since": NOON}, "endpoint"),
        ({"endpoint_name": ""}, "endpoint"),
        ({"endpoint_name": "x" * 257}, "endpoint"),
        ({"status": "Preempted"}, "status"),
        ({"status": ""}, "status"),
        ({"endpoint_name": "here", "limit": 0}, "limit"),
        ({"endpoint_name": "here", "limit": -1}, "limit"),
        ({"endpoint_name": "here", "limit": 10**9}, "limit"),
        ({"endpoint_name": "here", "limit": 1.5}, "limit"),
        ({"endpoint_name": "here", "since": "2026-01-25T12:00:00"}, "since"),
        ({"endpoint_name": "here", "until": "2026-01-25"}, "until"),
        ({"endpoint_name": "here", "since": "yesterday"}, "since"),
        ({"endpoint_name": "here", "since": "0001-01-01T00:00:00+14:00"}, "since"),
        (
            {"endpoint_name": "here", "since": NOON, "until": "2026-01-25T11:59:59Z"},
            "since",
        ),
        ({"endpoint_name": "here", "since": NOON, "until": NOON}, "since"),
    ],
)
def test_an_invalid_parameter_is_named(parameters, parameter):
    with pytest.raises(InvalidParameter, match=f"^{parameter}: expected"):
        lister()(**parameters)
