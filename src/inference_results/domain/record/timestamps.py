"""Timestamps as they are stored and shown: UTC, ISO-8601, milliseconds, `Z`; they sort as text."""

from datetime import UTC, datetime, timedelta


def timestamp(moment: datetime) -> str:
    """`2026-01-25T22:46:00.608Z` for an aware datetime; finer digits are cut off."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> str:
    """The stored form of an ISO-8601 timestamp with an offset; ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a timestamp needs an offset")
    try:
        return timestamp(moment)
    except OverflowError as error:
        raise ValueError("the timestamp is outside the years 1 to 9999") from error


def milliseconds_between(earlier: str, later: str) -> int:
    """From one timestamp to another; zero where clocks disagree about which came first."""
    passed = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return max(passed // timedelta(milliseconds=1), 0)
