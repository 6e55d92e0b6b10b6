"""The one definition of a record: its public attributes, their types, owners and meaning.

The API view, validation, the submission's own attributes, the OpenAPI and event schemas and the
table in docs/record.md derive from `Record`. A test compares the client's model with it.
"""

from dataclasses import dataclass, field, fields
from enum import Enum, auto
from types import NoneType
from typing import Annotated, Any, Final, TypeAlias, get_args, get_origin, get_type_hints

from inference_results.contract import Attribute
from inference_results.domain.record.result import Failure, Output, OutputError, described

Timestamp: TypeAlias = Annotated[str, "timestamp"]
"""UTC, ISO 8601, with milliseconds and `Z`."""


class Owner(Enum):
    """Who writes an attribute. Nobody overwrites what another owner wrote."""

    KEY = auto()
    RESULT = auto()
    """Replaced as a whole by each winning result. A submission sets some until the first one."""
    SUBMISSION = auto()
    """Replaced by each newer registration; no result touches it."""


def _attribute(owner: Owner, description: str, **options: Any) -> Any:
    return field(metadata={"owner": owner, "description": description}, **options)


def _key(description: str) -> Any:
    return _attribute(Owner.KEY, description)


def _result(description: str) -> Any:
    return _attribute(Owner.RESULT, description, default=None)


def _submission(description: str) -> Any:
    return _attribute(Owner.SUBMISSION, description, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedLocations:
    """Where SageMaker said that it would write. Missing until its response is known."""

    output_location: str | None = None
    failure_location: str | None = described(
        "Missing if the endpoint has no S3FailurePath.", default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An inference's record as the API returns it. A list returns some of the attributes."""

    inference_id: str = _key("1 to 64 printable ASCII characters, as SageMaker gave them.")
    endpoint_name: str = _key("`-` if the notification named none.")
    status: str = _attribute(
        Owner.RESULT,
        "InProgress, Completed, Failed, Expired, Lost, or another status as received.",
    )
    submitted_at: Timestamp | None = _submission(
        "When SageMaker accepted the invocation, by its own clock."
    )
    received_at: Timestamp | None = _result("When SageMaker received the request.")
    event_time: Timestamp | None = _result(
        "When the inference ended: SageMaker's `eventTime`. Without a notification, when the "
        "object in S3 was written; for a lost inference, the deadline."
    )
    recorded_at: Timestamp | None = _result("When this record was written.")
    deadline: Timestamp | None = _submission(
        "When SageMaker gives up at the latest: submitted_at + RequestTTLSeconds + "
        "InvocationTimeoutSeconds."
    )
    input_location: str | None = _result("The input in S3, if the request named one.")
    content_type: str | None = _result("The content type of the input.")
    output: Output | None = _result("The response, if the inference has one.")
    output_error: OutputError | None = _result(
        "Why the output or the failure object could not be read."
    )
    failure: Failure | None = _result("Why the inference has no output.")
    ignored_fields: list[str] | None = _result(
        "Fields of the notification that were invalid and are left out."
    )
    source: str | None = _result(
        "`reconciliation` or `backfill` if the result came without a notification."
    )
    custom_attributes: str | None = _result("The caller's CustomAttributes.")
    caller_metadata: dict[str, str] | None = _submission("The submitter's own texts, by name.")
    submission: PromisedLocations | None = _submission(
        "The locations in SageMaker's response to the submitter."
    )
    expires_at: Timestamp | None = _result(
        "When the record is deleted. In the table, epoch seconds."
    )


def owned_by(owner: Owner) -> tuple[Attribute, ...]:
    """The attributes of one owner, in the order of the definition."""
    return tuple(Attribute(each.name) for each in fields(Record) if each.metadata["owner"] is owner)


def _kind(hint: Any) -> Any:
    """The type of an attribute, without `None`; `Timestamp` stays distinct from `str`."""
    (kind,) = (each for each in get_args(hint) or (hint,) if each is not NoneType)
    return Timestamp if get_origin(kind) is Annotated else get_origin(kind) or kind


ATTRIBUTE_TYPES: Final = {
    Attribute(name): _kind(hint)
    for name, hint in get_type_hints(Record, include_extras=True).items()
}
"""The type of each public attribute."""

TIMESTAMPS: Final = frozenset(name for name, kind in ATTRIBUTE_TYPES.items() if kind is Timestamp)
