"""What the service answers, as frozen dataclasses.

Fields and their meaning are those of docs/record.md; timestamps are aware datetimes. A field that
is not known here is ignored, so an older client reads the records of a newer service; `raw` keeps
the answer as it came.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Final, Self

from inference_results.client.errors import InferenceExpired, InferenceFailed, InferenceLost
from inference_results.contract import Status
from inference_results.domain.record.result import Failure, Output, OutputError

_TIMES: Final = frozenset(
    {"submitted_at", "received_at", "event_time", "recorded_at", "deadline", "expires_at"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedLocations:
    """Where SageMaker said, when it took the invocation, that it would write.

    There is no `failure_location` where the endpoint has no S3FailurePath.
    """

    output_location: str | None = None
    failure_location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """The record of an inference, whatever became of it. An unknown status is kept as it came."""

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
        """Read a record in the shape of the API."""
        known = _known(cls, document)
        known |= {name: datetime.fromisoformat(known[name]) for name in _TIMES & known.keys()}
        if output := known.get("output"):
            known["output"] = _output(output)
        if output_error := known.get("output_error"):
            known["output_error"] = OutputError(**_known(OutputError, output_error))
        if failure := known.get("failure"):
            known["failure"] = Failure(**_known(Failure, failure))
        if submission := known.get("submission"):
            known["submission"] = PromisedLocations(**_known(PromisedLocations, submission))
        known["ignored_fields"] = tuple(known.get("ignored_fields", ()))
        return cls(**known | {"raw": document})

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended; an unknown status counts as an end."""
        return self.status != Status.IN_PROGRESS

    def raise_for_status(self) -> Self:
        """Return the inference itself.

        Raises InferenceFailed, InferenceExpired or InferenceLost if it is known to have ended
        without an output. Nothing is raised for an unknown status.
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
    """Why an id of a batch has no record: `reason` is `unknown`, `expired` or `ambiguous`."""

    inference_id: str
    reason: str
    endpoints: tuple[str, ...] = ()
    """Of an ambiguous id: where it is recorded."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        known = _known(cls, document)
        return cls(**known | {"endpoints": tuple(known.get("endpoints", ()))})


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of several ids: each is in one of the two lists."""

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
    """How many results took at most so long, and longer than the bucket before."""

    up_to_ms: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From receiving the request to the result, as SageMaker timed it, in milliseconds."""

    count: int
    p50_ms: int
    p90_ms: int
    p99_ms: int
    histogram: tuple[LatencyBucket, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        known = _known(cls, document)
        buckets = known.get("histogram", ())
        histogram = tuple(LatencyBucket(**_known(LatencyBucket, each)) for each in buckets)
        return cls(**known | {"histogram": histogram})


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySummary:
    """The results of an endpoint in one day of UTC. `counts` is by status."""

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


def _known(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: document[each.name] for each in fields(kind) if each.name in document}


def _output(document: Mapping[str, Any]) -> Output:
    known = _known(Output, document)
    if shown := known.pop("inline", None):
        known["inline"] = _inline_bytes(shown)
    return Output(**known)


def _inline_bytes(shown: Mapping[str, str]) -> bytes | None:
    """None if the encoding is not known here: the output is then asked for."""
    match shown["encoding"]:
        case "utf-8":
            return shown["content"].encode()
        case "base64":
            return base64.b64decode(shown["content"])
    return None
