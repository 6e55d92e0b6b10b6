"""Timestamps: UTC, ISO 8601, with milliseconds and `Z`. They sort as strings."""

from datetime import UTC, datetime, timedelta


def timestamp(time: datetime) -> str:
    """Format an aware datetime, like `2026-01-25T22:46:00.608Z`. Truncates microseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> str:
    """Normalize an ISO 8601 timestamp with an offset. Raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("expected a timestamp with an offset")
    try:
        return timestamp(time)
    except OverflowError as error:
        raise ValueError("expected a timestamp in the years 1 to 9999") from error


def milliseconds_between(earlier: str, later: str) -> int:
    """The time from one timestamp to another; zero if clocks disagree about their order."""
    elapsed = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return max(elapsed // timedelta(milliseconds=1), 0)
