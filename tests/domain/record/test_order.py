from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.record.order import event_order, unnotified_order
from inference_results.domain.record.timestamps import timestamp

TIMES = st.datetimes(timezones=st.just(UTC)).map(timestamp)
STATUSES = st.text(min_size=1, max_size=64) | st.sampled_from(["Completed", "Lost"])
LOCATIONS = st.none() | st.text()

PRECEDENCE = ["Renamed", "Expired", "Failed", "Completed"]
"""Statuses in ascending precedence. The first one is unknown."""


@given(
    statuses=st.lists(st.sampled_from(PRECEDENCE), min_size=2, max_size=2, unique=True),
    details=st.lists(st.tuples(LOCATIONS, st.text()), min_size=2, max_size=2),
)
def test_at_the_same_time_the_status_decides(statuses, details):
    orders = [
        event_order(
            event_time="2026-01-25T12:00:00.000Z", status=status, location=at, digest=digest
        )
        for status, (at, digest) in zip(statuses, details, strict=True)
    ]
    winner = max(range(2), key=lambda each: orders[each].encode())
    assert statuses[winner] == max(statuses, key=PRECEDENCE.index)


@given(
    unnotified=st.tuples(TIMES, STATUSES, LOCATIONS),
    notified=st.tuples(TIMES, STATUSES, LOCATIONS, st.text()),
)
def test_any_notification_wins_over_an_unnotified_result(unnotified, notified):
    time, status, location, digest = notified
    order = event_order(event_time=time, status=status, location=location, digest=digest)
    assert _unnotified(*unnotified).encode() < order.encode()  # DynamoDB compares bytes


@given(one=st.tuples(TIMES, STATUSES, LOCATIONS), other=st.tuples(TIMES, STATUSES, LOCATIONS))
def test_the_later_of_two_unnotified_results_wins(one, other):
    if one[0] < other[0]:
        assert _unnotified(*one) < _unnotified(*other)


def test_an_unnotified_output_wins_over_a_loss_at_the_same_time():
    time = "2026-01-25T12:00:00.000Z"
    lost = _unnotified(time, "Lost", None)
    assert lost < _unnotified(time, "Completed", "s3://bucket/key")


def test_equal_unnotified_results_have_the_same_order():
    result = ("2026-01-25T12:00:00.000Z", "Completed", "s3://bucket/key")
    assert _unnotified(*result) == _unnotified(*result)


def _unnotified(event_time, status, location):
    return unnotified_order(event_time=event_time, status=status, location=location)
