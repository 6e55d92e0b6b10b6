from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.record.order import event_order, unnotified_order
from inference_results.domain.record.timestamps import timestamp

TIMES = st.datetimes(timezones=st.just(UTC)).map(timestamp)
STATUSES = st.text(min_size=1, max_size=64) | st.sampled_from(["Completed", "Lost"])
LOCATIONS = st.none() | st.text()


PRECEDENCE = ["Renamed", "Expired", "Failed", "Completed"]
"""At the same time the later in this list wins, whatever else differs; the first is unknown."""


@given(
    statuses=st.lists(st.sampled_from(PRECEDENCE), min_size=2, max_size=2, unique=True),
    details=st.lists(st.tuples(LOCATIONS, st.text()), min_size=2, max_size=2),
)
def test_of_events_at_the_same_time_the_status_decides(statuses, details):
    orders = [
        event_order(
            event_time="2026-01-25T12:00:00.000Z", status=status, location=at, digest=digest
        )
        for status, (at, digest) in zip(statuses, details, strict=True)
    ]
    winner = max(range(2), key=lambda each: orders[each].encode())
    assert statuses[winner] == max(statuses, key=PRECEDENCE.index)


@given(
    found=st.tuples(TIMES, STATUSES, LOCATIONS),
    announced=st.tuples(TIMES, STATUSES, LOCATIONS, st.text()),
)
def test_any_notification_wins_over_an_outcome_that_was_only_found(found, announced):
    time, status, location, digest = announced
    order = event_order(event_time=time, status=status, location=location, digest=digest)
    assert _unannounced(*found).encode() < order.encode()  # DynamoDB compares bytes


@given(one=st.tuples(TIMES, STATUSES, LOCATIONS), other=st.tuples(TIMES, STATUSES, LOCATIONS))
def test_of_outcomes_that_were_only_found_the_later_wins(one, other):
    if one[0] < other[0]:
        assert _unannounced(*one) < _unannounced(*other)


def test_an_output_that_was_found_wins_over_a_loss_at_the_same_time():
    time = "2026-01-25T12:00:00.000Z"
    lost = _unannounced(time, "Lost", None)
    assert lost < _unannounced(time, "Completed", "s3://bucket/key")


def test_the_same_finding_has_the_same_order():
    finding = ("2026-01-25T12:00:00.000Z", "Completed", "s3://bucket/key")
    assert _unannounced(*finding) == _unannounced(*finding)


def _unannounced(event_time, status, location):
    return unnotified_order(event_time=event_time, status=status, location=location)
