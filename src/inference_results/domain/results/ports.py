"""What the domain needs of the outside, and what passes between them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from inference_results.contract import Metric
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.record.location import Location
from inference_results.domain.record.result import Result


class Disposition(StrEnum):
    """What became of a message that was settled, and so is acknowledged. Counted as that metric."""

    RECORDED = Metric.RECORDED
    RECORDED_WITH_OUTPUT_ERROR = Metric.RECORDED_WITH_OUTPUT_ERROR
    DUPLICATE = Metric.DUPLICATE
    SUPERSEDED = Metric.SUPERSEDED
    IGNORED = Metric.IGNORED
    UNPROCESSABLE = Metric.UNPROCESSABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as received from a queue."""

    message_id: str
    body: str
    receive_count: int
    queue_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStart:
    """The first bytes of an object, and what is known of the whole. `size` is the whole's."""

    body: bytes
    size: int
    etag: str | None = None
    version_id: str | None = None
    content_type: str | None = None
    last_modified: datetime | None = None


class Objects(Protocol):
    """S3."""

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        """The first `limit` bytes. Raises ObjectDenied, ObjectMissing or Unavailable."""


class Records(Protocol):
    """The table."""

    def record(self, outcome: Result) -> Disposition:
        """RECORDED if the outcome wins, else DUPLICATE or SUPERSEDED. Raises Unavailable."""

    def submitted_failure_location(
        self, inference_id: str, endpoint_name: str, event_time: str
    ) -> str | None:
        """The failure location that the submitter was given, where that was recorded.

        None if the event is that of an earlier invocation.
        """


class Rejections(Protocol):
    """The queue of messages that no retry can help."""

    def park(self, message: Message, why: Unprocessable) -> None:
        """Keep the message with the reason. Raises Unavailable."""
