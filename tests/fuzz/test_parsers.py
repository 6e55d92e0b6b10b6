"""No text makes a parser fail in a way of its own, or keeps it busy."""

import time
from collections.abc import Callable
from dataclasses import astuple
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.http_api.requests import (
    QUERY_PARAMETERS,
    parse_batch,
    parse_body,
    parse_input,
    parse_query,
)
from inference_results.contract import Route
from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.record.errors import InvalidParameter, LocationRejected, Unprocessable
from inference_results.domain.record.location import allowed_location, parse_location, parse_prefix
from inference_results.domain.record.parameters import REGISTRATION, SUBMISSION, SUBMITTED_AT
from inference_results.domain.record.timestamps import parse_timestamp
from inference_results.domain.results.notification import (
    ResultNotification,
    parse_notification,
    unwrap_envelope,
)
from tests.domain.queries.test_listing import FakeListing, item
from tests.effort import effort
from tests.fakes import NOW, PREFIXES
from tests.fuzz.inputs import (
    ANY_TEXT,
    BODIES,
    HAND_MADE,
    LOCATION,
    NOTIFICATION,
    TIME,
    edited,
    queries,
)

MOST_SECONDS: Final = 0.05
TRIES: Final = 5
_T = TypeVar("_T")


def read(parse: Callable[..., _T], *arguments: Any, refusal: type[Exception]) -> _T | None:
    """What it answers, None if it refuses. One of some tries takes its thread at most 50 ms."""
    for _ in range(TRIES):
        began = time.thread_time()
        try:
            answer = parse(*arguments)
        except refusal:
            answer = None
        if time.thread_time() - began <= MOST_SECONDS:
            return answer
    raise AssertionError(f"{parse} takes longer than {MOST_SECONDS} s")


def check_notification(text: str) -> None:
    result = read(parse_notification, text, refusal=Unprocessable)
    assert isinstance(read(unwrap_envelope, text, refusal=Unprocessable), str)
    if isinstance(result, ResultNotification):
        assert parse_timestamp(result.event_time) == result.event_time
        for each in astuple(result):
            str(each).encode()  # as it is stored
        assert parse_notification(text) == result


@pytest.mark.parametrize("text", HAND_MADE, ids=count())
def test_hand_made_notifications_are_read_or_refused(text):
    check_notification(text)


@effort(short=250, long=30_000)
@given(NOTIFICATION)
def test_any_notification_is_read_or_refused(text):
    check_notification(text)


@effort(short=150, long=14_000)
@given(LOCATION | ANY_TEXT)
def test_any_location_is_read_or_refused(text):
    read(parse_prefix, text, refusal=LocationRejected)
    location = read(parse_location, text, refusal=LocationRejected)
    allowed = read(allowed_location, text, PREFIXES, refusal=LocationRejected)
    if location:
        assert parse_location(location.uri) == location
        assert len(location.key.encode()) <= 1024
    if allowed:
        assert allowed == location
        assert allowed.uri.startswith(PREFIXES)


@effort(short=200, long=14_000)
@given(TIME | ANY_TEXT)
def test_any_time_is_read_or_refused(text):
    stored = read(parse_timestamp, text, refusal=ValueError)
    told = read(SUBMITTED_AT.check, text, refusal=InvalidParameter)
    for each in (stored, told):
        if each is not None:
            assert (len(each), parse_timestamp(each)) == (24, each)


LISTER: Final = ListInferences(
    inferences=FakeListing(*(item(str(number), number) for number in range(3))),
    now=lambda: NOW,
    cursor_key=b"key",
)


def listed(cursor: str) -> list[str]:
    page = LISTER(endpoint_name="here", limit=1, cursor=cursor)
    return [each["inference_id"] for each in page["inferences"]]


CURSOR: Final = LISTER(endpoint_name="here", limit=1)["next_cursor"]
OF_ANOTHER_QUESTION: Final = LISTER(endpoint_name="here", limit=1, status="Completed")
CURSORS: Final = st.sampled_from([CURSOR, OF_ANOTHER_QUESTION["next_cursor"]])


@effort(short=100, long=6_000)
@given(edited(CURSORS) | ANY_TEXT)
def test_any_cursor_leads_where_its_page_ended_or_is_refused(text):
    assert read(listed, text, refusal=InvalidParameter) in (None, ["1"])


@effort(short=150, long=10_000)
@given(st.sampled_from(Route).flatmap(lambda route: st.tuples(st.just(route), queries(route))))
def test_any_query_is_read_or_refused(asked):
    route, text = asked
    values = read(parse_query, route, text, refusal=InvalidParameter)
    assert values is None or set(values) <= {each.name for each in QUERY_PARAMETERS[route]}


def submission(members: dict[str, Any]) -> dict[str, Any]:
    others, _ = parse_input(members)
    return SUBMISSION.check(others)


def check_body(text: str, *, is_base64: bool) -> None:
    members = read(partial(parse_body, is_base64=is_base64), text, refusal=InvalidParameter)
    if members is not None:
        for form in (REGISTRATION.check, submission, parse_batch):
            read(form, members, refusal=InvalidParameter)


@pytest.mark.parametrize("text", HAND_MADE, ids=count())
def test_hand_made_bodies_are_read_or_refused(text):
    check_body(text, is_base64=False)


@effort(short=200, long=10_000)
@given(st.one_of(BODIES.values()), st.sampled_from([False] * 9 + [True]))
def test_any_body_is_read_or_refused(text, is_base64):
    check_body(text, is_base64=is_base64)
