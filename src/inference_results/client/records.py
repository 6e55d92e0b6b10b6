"""Responses of the service as frozen dataclasses.

docs/record.md describes the fields. Timestamps are timezone-aware datetimes. Unknown fields are
ignored, so older clients can read newer records; `Inference.raw` keeps the complete document.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Self

from inference_results.client.errors import InferenceExpired, InferenceFailed, InferenceLost
from inference_results.contract import Status
from inference_results.domain.record.definition import TIMESTAMPS, PromisedLocations
from inference_results.domain.record.result import Failure, Output, OutputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """The record of an inference. `status` keeps values that this version does not know."""

    inference_id: str
    endpoint_name: str
    status: str
    submitted_at: datetime | None = None
    received_at: datetime | None = None
    event_time: datetime | None = None
    recorded_at: datetime | None = None
    deadline: datetime | None = None
    expires_at: datetime | None = None
    input_location: str | None = None
    content_type: str | None = None
    output: Output | None = None
    output_error: OutputError | None = None
    failure: Failure | None = field(default=None, repr=False)
    ignored_fields: tuple[str, ...] = ()
    source: str | None = None
    submission: PromisedLocations | None = None
    custom_attributes: str | None = field(default=None, repr=False)
    caller_metadata: Any = field(default=None, repr=False, hash=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Parse a record of the API."""
        known = _known_fields(cls, document)
        known |= {name: datetime.fromisoformat(known[name]) for name in TIMESTAMPS & known.keys()}
        if output := known.get("output"):
            known["output"] = _parse_output(output)
        if output_error := known.get("output_error"):
            known["output_error"] = OutputError(**_known_fields(OutputError, output_error))
        if failure := known.get("failure"):
            known["failure"] = Failure(**_known_fields(Failure, failure))
        if submission := known.get("submission"):
            known["submission"] = PromisedLocations(**_known_fields(PromisedLocations, submission))
        known["ignored_fields"] = tuple(known.get("ignored_fields", ()))
        return cls(**known | {"raw": document})

    @property
    def is_terminal(self) -> bool:
        """True if the inference has ended. Unknown statuses count as ended."""
        return self.status != Status.IN_PROGRESS

    def raise_for_status(self) -> Self:
        """Raise an error if the inference ended without an output, else return it.

        Raises InferenceFailed, InferenceExpired or InferenceLost. Statuses that this version does
        not know raise nothing.
        """
        match self.status:
            case Status.FAILED:
                raise InferenceFailed(self)
            case Status.EXPIRED:
                raise InferenceExpired(self)
            case Status.LOST:
                raise InferenceLost(self)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An id without a record in a batch. `reason` is `unknown`, `expired` or `ambiguous`."""

    inference_id: str
    reason: str
    endpoints: tuple[str, ...] = ()
    """The endpoints of an ambiguous id."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        known = _known_fields(cls, document)
        return cls(**known | {"endpoints": tuple(known.get("endpoints", ()))})


@dataclass(frozen=True, slots=True)
class Batch:
    """The response for several ids. Each id is in one of the two lists."""

    inferences: list[Inference]
    missing: list[Missing]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            [Inference.from_document(each) for each in document["inferences"]],
            [Missing.from_document(each) for each in document["missing"]],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBucket:
    """The number of results that took at most `up_to_ms`, and longer than the previous bucket."""

    up_to_ms: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from SageMaker's receipt of the request to the result."""

    count: int
    p50_ms: int
    p90_ms: int
    p99_ms: int
    histogram: tuple[LatencyBucket, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        known = _known_fields(cls, document)
        buckets = known.get("histogram", ())
        histogram = tuple(LatencyBucket(**_known_fields(LatencyBucket, each)) for each in buckets)
        return cls(**known | {"histogram": histogram})


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySummary:
    """The results of an endpoint on one day (UTC). `counts` maps statuses to numbers of results."""

    day: date
    counts: dict[str, int]
    latency: Latency | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        latency = document.get("latency")
        return cls(
            day=date.fromisoformat(document["day"]),
            counts=dict(document["counts"]),
            latency=Latency.from_document(latency) if latency else None,
        )


def _known_fields(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: document[each.name] for each in fields(kind) if each.name in document}


def _parse_output(document: Mapping[str, Any]) -> Output:
    known = _known_fields(Output, document)
    if inline := known.pop("inline", None):
        known["inline"] = _decode_inline(inline)
    return Output(**known)


def _decode_inline(inline: Mapping[str, str]) -> bytes | None:
    """Return None for an unknown encoding; the output is then requested separately."""
    match inline["encoding"]:
        case "utf-8":
            return inline["content"].encode()
        case "base64":
            return base64.b64decode(inline["content"])
    return None
