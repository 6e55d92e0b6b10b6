"""A result: what one notification says about an inference, ready to be stored."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from inference_results.contract import Status

NO_ENDPOINT: Final = "-"
"""The endpoint name of a result whose notification names none, like a router's."""

ENDED_WITHOUT_OUTPUT: Final = (Status.FAILED, Status.EXPIRED)


class Source(StrEnum):
    """How a result was found, if not by a notification."""

    RECONCILIATION = "reconciliation"
    BACKFILL = "backfill"


def described(description: str, **options: Any) -> Any:
    """A dataclass field with a description, which the published schemas show."""
    return field(metadata={"description": description}, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The model's response, pinned to the object version that was read.

    `version_id`, `etag` and `size` come from S3. They are missing if S3 was not called or
    denied access.
    """

    location: str | None = described("`s3://bucket/key`.", default=None)
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    etag: str | None = None
    size: int | None = described("Bytes.", default=None)
    content_type: str | None = None
    inline: bytes | None = described(
        "The whole output, if it is small enough.", default=None, repr=False
    )


@dataclass(frozen=True, slots=True)
class OutputError:
    """Why the output or the failure object could not be read."""

    code: str
    message: str
    location: str | None = described(
        "The location that was not read, if the record has it nowhere else.", default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the inference has no output."""

    code: str
    retryable: bool = described("The same request can succeed later.")
    reason: str | None = described("SageMaker's text.", default=None)
    reason_truncated: bool | None = described("True if `reason` was cut.", default=None)
    model_status: int | None = described("HTTP status of the model's container.", default=None)
    location: str | None = described("The failure object.", default=None)
    body_preview: str | None = described(
        "The first bytes of the container's response, as text.", default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The attributes that a result writes. A winning result replaces all of its predecessor's."""

    inference_id: str
    endpoint_name: str
    status: str
    event_time: str
    event_order: str
    recorded_at: str
    expires_at: int
    """Epoch seconds, for DynamoDB's TTL."""
    received_at: str | None = None
    input_location: str | None = None
    content_type: str | None = None
    custom_attributes: str | None = None
    output: Output | None = None
    output_error: OutputError | None = None
    failure: Failure | None = None
    ignored_fields: tuple[str, ...] | None = None
    """Optional fields of the notification that were invalid and are left out."""
    source: Source | None = None
