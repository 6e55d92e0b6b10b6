"""The steps of an operation.

An operation is a generator that yields steps and does no I/O. A driver in `client/transports/`
carries out each step and sends its result back. Both clients share the operations this way.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final, Generic, TypeAlias, TypeVar

from inference_results.client.flows.download import Download
from inference_results.client.flows.requests import GetRecord, GetRecords, ServiceRequest

GRACE_SECONDS: Final = 5.0
"""Queued requests are still sent until this long after their deadline."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send requests, several at a time.

    The result is a list of responses in the order of the requests. A response is None if the
    request was still queued GRACE_SECONDS after the `deadline` (on the driver's clock).
    """

    requests: tuple[ServiceRequest, ...]
    deadline: float = inf

    def limit_wait(self, request: ServiceRequest, now: float) -> ServiceRequest | None:
        """Shorten a request's wait to the deadline. Return None if it is too late to send it."""
        if now > self.deadline + GRACE_SECONDS:
            return None
        if isinstance(request, GetRecord | GetRecords):
            return replace(request, wait=min(request.wait, max(self.deadline - now, 0)))
        return request


@dataclass(frozen=True, slots=True)
class Sleep:
    """Sleep. The step has no result."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch a URL into a download. The result is None if it is complete, else the error."""

    url: str = field(repr=False)
    download: Download


@dataclass(frozen=True, slots=True)
class Item(Generic[_T]):
    """Yield a value to the caller of a stream. The step has no result."""

    value: _T


Operation: TypeAlias = Generator[Send | Sleep | Fetch, Any, _T]
"""Returns one value."""

Stream: TypeAlias = Generator[Send | Sleep | Fetch | Item[_T], Any, None]
"""Yields values as Items."""
