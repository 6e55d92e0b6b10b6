"""Times on the command line: relative (`2h`), or an ISO-8601 timestamp with an offset."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(rf"([0-9]{{1,9}})([{''.join(_UNITS)}])")


def parse_time(text: str, now: datetime) -> datetime:
    """Parse a time. Raises ValueError with the expected format."""
    try:
        return _parse(text, now)
    except OverflowError as error:
        raise ValueError("expected a time in the years 1 to 9999") from error


def _parse(text: str, now: datetime) -> datetime:
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            "expected a relative time (30s, 30m, 2h, 7d, 1w) or a timestamp (2026-01-25T22:46:00Z)"
        ) from error
    if found.tzinfo is None:
        raise ValueError("expected an offset: 2026-01-25T22:46:00Z or 2026-01-25T22:46:00+01:00")
    return found.astimezone(UTC)
