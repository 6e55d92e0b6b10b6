"""The ports of result recording, and the types that cross them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from inference_results.contract import Metric
from inference_results.domain.record.errors import Unprocessable
from inference_results.domain.record.location import Location
from inference_results.domain.record.result import Result


class Disposition(StrEnum):
    """How a message was processed, so that SQS can delete it. Each is counted by its metric."""

    RECORDED = Metric.RECORDED
    RECORDED_WITH_OUTPUT_ERROR = Metric.RECORDED_WITH_OUTPUT_ERROR
    DUPLICATE = Metric.DUPLICATE
    SUPERSEDED = Metric.SUPERSEDED
    IGNORED = Metric.IGNORED
    UNPROCESSABLE = Metric.UNPROCESSABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message received from a queue."""

    message_id: str
    body: str
    receive_count: int
    queue_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStart:
    """The first bytes of an S3 object, and its metadata. `size` is the size of the whole object."""

    body: bytes
    size: int
    etag: str | None = None
    version_id: str | None = None
    content_type: str | None = None
    last_modified: datetime | None = None


class Objects(Protocol):
    """S3."""

    def read_start(self, location: Location, limit: int) -> ObjectStart:
        """Read the first `limit` bytes. Raises ObjectDenied, ObjectMissing or Unavailable."""


class Records(Protocol):
    """The inferences table."""

    def record(self, result: Result) -> Disposition:
        """Write a result if it wins: RECORDED, else DUPLICATE or SUPERSEDED. Raises Unavailable."""

    def promised_failure_location(
        self, inference_id: str, endpoint_name: str, event_time: str
    ) -> str | None:
        """The failure location in SageMaker's response to the submitter, if it was recorded.

        None if the notification is of an earlier invocation.
        """


class Rejections(Protocol):
    """The `unprocessable` queue."""

    def reject(self, message: Message, error: Unprocessable) -> None:
        """Move a message to the queue, with the reason. Raises Unavailable."""
