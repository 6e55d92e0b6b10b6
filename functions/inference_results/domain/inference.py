"""The record of an inference, and the order that decides which event about it wins."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from inference_results.contract import Status as Status


class Source(StrEnum):
    """How an outcome was found, where no notification told it."""

    SWEEP = "sweep"
    BACKFILL = "backfill"


_PRECEDENCE: dict[str, int] = {Status.COMPLETED: 4, Status.FAILED: 3, Status.EXPIRED: 2}
_UNKNOWN_PRECEDENCE = 1

UNANNOUNCED: Final = "-"
"""Begins the order of an outcome that no notification told: below every event's, which begins with
a digit."""

CLOCK_TOLERANCE: Final = timedelta(hours=1)
"""By how much a submitter's clock may differ from SageMaker's. It counts for results that name no
output, so that the location does not tell which invocation they are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the response is, pinned to the object that was seen.

    `version_id`, `etag` and `size` (bytes) come from S3 and are missing when it was not asked or
    refused; `inline` is the whole response, or None.
    """

    location: str | None = None
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    etag: str | None = None
    size: int | None = None
    content_type: str | None = None
    inline: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OutputError:
    """Why an object could not be read. `location` is there when it is nowhere else."""

    code: str
    message: str
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an inference has no output.

    `reason` is SageMaker's text, `reason_truncated` says that it was cut. `model_status` is the
    HTTP status of the model's container. `retryable`: the same request may succeed later.
    `body_preview` is the beginning of what the container answered, as text.
    """

    code: str
    retryable: bool
    reason: str | None = None
    reason_truncated: bool | None = None
    model_status: int | None = None
    location: str | None = None
    body_preview: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one event says became of an inference. A winning outcome replaces the former whole."""

    inference_id: str
    endpoint_name: str
    status: str
    event_time: str
    event_order: str
    recorded_at: str
    expires_at: int
    """Seconds since 1970, as DynamoDB's TTL wants it."""
    received_at: str | None = None
    input_location: str | None = None
    content_type: str | None = None
    custom_attributes: str | None = None
    output: Output | None = None
    output_error: OutputError | None = None
    failure: Failure | None = None
    ignored_fields: tuple[str, ...] | None = None
    """Fields of the event that were not of the expected form, and are missing here."""
    source: Source | None = None


def endpoint_and_status(endpoint_name: str, status: str) -> str:
    """A key for the records of one status on one endpoint; names of endpoints hold no `#`."""
    return f"{endpoint_name}#{status}"


def unannounced_order(*, event_time: str, status: str, location: str | None) -> str:
    """The order of an outcome that was found without a notification: any event about it wins."""
    return UNANNOUNCED + event_order(
        event_time=event_time, status=status, location=location, digest=""
    )


def event_order(*, event_time: str, status: str, location: str | None, digest: str) -> str:
    """A text that sorts as events win: later first, then by precedence of status, location, digest.

    The digest makes it total: of two different events never both or neither win.
    """
    precedence = str(_PRECEDENCE.get(status, _UNKNOWN_PRECEDENCE))
    return "\n".join((event_time, precedence, location or "", digest))
