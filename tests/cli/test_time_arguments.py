from datetime import UTC, datetime, timedelta

import pytest

from inference_results.cli.time_arguments import parse_time

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_relative_time_is_subtracted_from_now(text, ago):
    assert parse_time(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    "text", ["999999999d", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"]
)
def test_a_time_outside_the_years_1_to_9999_is_rejected(text):
    with pytest.raises(ValueError, match="years 1 to 9999"):
        parse_time(text, NOW)
