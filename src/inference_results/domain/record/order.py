"""Which of two results for one inference wins.

Each result has an event order, a text that sorts as results win: the later event time first, then
the status, the location and a digest. See docs/decisions/0001-one-conditional-write.md.
"""

from datetime import timedelta
from typing import Final

from inference_results.contract import Status

_PRECEDENCE: Final[dict[str, int]] = {Status.COMPLETED: 4, Status.FAILED: 3, Status.EXPIRED: 2}
_UNKNOWN_PRECEDENCE: Final = 1

UNNOTIFIED: Final = "-"
"""Prefix of the event order of results without a notification.

It sorts below every digit, so any notification wins.
"""

CLOCK_TOLERANCE: Final = timedelta(hours=1)
"""How far a submitter's clock can differ from SageMaker's.

Applies to results without an output location, which would identify the invocation.
"""


def event_order(*, event_time: str, status: str, location: str | None, digest: str) -> str:
    """Build the event order of a notified result.

    The digest makes the order total: of two different notifications exactly one wins.
    """
    precedence = str(_PRECEDENCE.get(status, _UNKNOWN_PRECEDENCE))
    return "\n".join((event_time, precedence, location or "", digest))


def unnotified_order(*, event_time: str, status: str, location: str | None) -> str:
    """Build the event order of a result without a notification. Any notified result wins."""
    return UNNOTIFIED + event_order(
        event_time=event_time, status=status, location=location, digest=""
    )
