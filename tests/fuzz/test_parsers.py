"""Parsers accept or reject any text quickly, with no other error."""

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
from tests.fuzz.inputs import (
    ANY_TEXT,
    BODIES,
    HANDWRITTEN,
    LOCATION,
    NOTIFICATION,
    TIME,
    edited,
    queries,
)
from tests.support.effort import effort
from tests.support.fake_listing import FakeListing, item
from tests.support.fakes import NOW, PREFIXES

MAX_SECONDS: Final = 0.05
ATTEMPTS: Final = 5
_T = TypeVar("_T")


def try_parse(parse: Callable[..., _T], *arguments: Any, error: type[Exception]) -> _T | None:
    """Return the parsed value, or None after the expected error.

    Several attempts, because machines are noisy: one of them must take at most 50 ms of CPU time.
    """
    for _ in range(ATTEMPTS):
        started_at = time.thread_time()
        try:
            value = parse(*arguments)
        except error:
            value = None
        if time.thread_time() - started_at <= MAX_SECONDS:
            return value
    raise AssertionError(f"{parse} takes longer than {MAX_SECONDS} s")


def check_notification(text: str) -> None:
    notification = try_parse(parse_notification, text, error=Unprocessable)
    assert isinstance(try_parse(unwrap_envelope, text, error=Unprocessable), str)
    if isinstance(notification, ResultNotification):
        assert parse_timestamp(notification.event_time) == notification.event_time
        for each in astuple(notification):
            str(each).encode()  # DynamoDB stores UTF-8, so no lone surrogates
        assert parse_notification(text) == notification


@pytest.mark.parametrize("text", HANDWRITTEN, ids=count())
def test_handwritten_notifications_are_parsed_or_rejected(text):
    check_notification(text)


@effort(short=250, long=30_000)
@given(NOTIFICATION)
def test_any_notification_is_parsed_or_rejected(text):
    check_notification(text)


@effort(short=150, long=14_000)
@given(LOCATION | ANY_TEXT)
def test_any_location_is_parsed_or_rejected(text):
    try_parse(parse_prefix, text, error=LocationRejected)
    location = try_parse(parse_location, text, error=LocationRejected)
    allowed = try_parse(allowed_location, text, PREFIXES, error=LocationRejected)
    if location:
        assert parse_location(location.uri) == location
        assert len(location.key.encode()) <= 1024
    if allowed:
        assert allowed == location
        assert allowed.uri.startswith(PREFIXES)


@effort(short=200, long=14_000)
@given(TIME | ANY_TEXT)
def test_any_time_is_parsed_or_rejected(text):
    in_notification = try_parse(parse_timestamp, text, error=ValueError)
    in_registration = try_parse(SUBMITTED_AT.check, text, error=InvalidParameter)
    for each in (in_notification, in_registration):
        if each is not None:
            assert (len(each), parse_timestamp(each)) == (24, each)


LISTER: Final = ListInferences(
    inferences=FakeListing(*(item(str(number), number) for number in range(3))),
    now=lambda: NOW,
    cursor_key=b"key",
)


def list_from(cursor: str) -> list[str]:
    page = LISTER(endpoint_name="here", limit=1, cursor=cursor)
    return [each["inference_id"] for each in page["inferences"]]


CURSOR: Final = LISTER(endpoint_name="here", limit=1)["next_cursor"]
OTHER_QUERY: Final = LISTER(endpoint_name="here", limit=1, status="Completed")
CURSORS: Final = st.sampled_from([CURSOR, OTHER_QUERY["next_cursor"]])


@effort(short=100, long=6_000)
@given(edited(CURSORS) | ANY_TEXT)
def test_any_cursor_continues_its_list_or_is_rejected(text):
    assert try_parse(list_from, text, error=InvalidParameter) in (None, ["1"])


@effort(short=150, long=10_000)
@given(st.sampled_from(Route).flatmap(lambda route: st.tuples(st.just(route), queries(route))))
def test_any_query_is_parsed_or_rejected(route_and_query):
    route, text = route_and_query
    values = try_parse(parse_query, route, text, error=InvalidParameter)
    assert values is None or set(values) <= {each.name for each in QUERY_PARAMETERS[route]}


def check_submission(body: dict[str, Any]) -> dict[str, Any]:
    fields, _ = parse_input(body)
    return SUBMISSION.check(fields)


def check_body(text: str, *, is_base64: bool) -> None:
    body = try_parse(partial(parse_body, is_base64=is_base64), text, error=InvalidParameter)
    if body is not None:
        for check in (REGISTRATION.check, check_submission, parse_batch):
            try_parse(check, body, error=InvalidParameter)


@pytest.mark.parametrize("text", HANDWRITTEN, ids=count())
def test_handwritten_bodies_are_parsed_or_rejected(text):
    check_body(text, is_base64=False)


@effort(short=200, long=10_000)
@given(st.one_of(BODIES.values()), st.sampled_from([False] * 9 + [True]))
def test_any_body_is_parsed_or_rejected(text, is_base64):
    check_body(text, is_base64=is_base64)
