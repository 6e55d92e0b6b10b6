"""Requests to the service and its responses, the same for every transport.

Most responses are documents in the format of the API; GetOutput returns OutputLink or OutputInline.
Each request raises InvalidRequest for an inference id or an endpoint name that cannot exist.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from inference_results.client.errors import InvalidRequest
from inference_results.domain.record.errors import InferenceResultsError, InvalidParameter
from inference_results.domain.record.parameters import ENDPOINT, INFERENCE_ID

MAX_IDS: Final = 100
"""Ids in one GetRecords."""

MAX_WAIT_SECONDS: Final = 20.0
"""The longest `wait` that the service accepts."""


@dataclass(frozen=True, slots=True)
class GetRecord:
    """Get one record. With `wait`, respond when it has ended, or after that many seconds."""

    inference_id: str
    endpoint: str | None = None
    wait: float = 0

    def __post_init__(self) -> None:
        _check([self.inference_id], self.endpoint)


@dataclass(frozen=True, slots=True)
class GetRecords:
    """Get up to MAX_IDS records. With `wait`, respond when all of them have ended."""

    inference_ids: tuple[str, ...]
    endpoint: str | None = None
    wait: float = 0

    def __post_init__(self) -> None:
        _check(self.inference_ids, self.endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecords:
    """Get one page of the records of an endpoint, a status, or both, newest first."""

    endpoint: str | None = None
    status: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int
    cursor: str | None = None

    def __post_init__(self) -> None:
        _check([], self.endpoint)


@dataclass(frozen=True, slots=True)
class GetSummary:
    """Get an endpoint's results by day. `since` and `until` are `YYYY-MM-DD`, both inclusive."""

    endpoint: str
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        _check([], self.endpoint)


@dataclass(frozen=True, slots=True)
class GetOutput:
    """Get a link to an output, or the output itself if only the record holds it."""

    inference_id: str
    endpoint: str | None = None

    def __post_init__(self) -> None:
        _check([self.inference_id], self.endpoint)


@dataclass(frozen=True, slots=True)
class Register:
    """Record an invocation. `members` are validated members of the body REGISTRATION."""

    inference_id: str
    members: Mapping[str, Any] = field(repr=False, hash=False)

    def __post_init__(self) -> None:
        _check([self.inference_id], self.members[ENDPOINT.name])


@dataclass(frozen=True, slots=True)
class Submit:
    """Invoke an endpoint once. `members` are validated members of the body SUBMISSION.

    `body` is the input, unless the members have an `input_location`.
    """

    members: Mapping[str, Any] = field(repr=False, hash=False)
    body: bytes | None = field(default=None, repr=False, hash=False)

    def __post_init__(self) -> None:
        _check([], self.members[ENDPOINT.name])


def _check(inference_ids: Iterable[str], endpoint: str | None) -> None:
    try:
        for each in inference_ids:
            INFERENCE_ID.check(each)
        if endpoint is not None and not ENDPOINT.check(endpoint).isprintable():
            raise InvalidRequest("expected printable characters", ENDPOINT.name)
    except InvalidParameter as error:
        raise InvalidRequest(f"expected {error.expected}", error.parameter) from error


ServiceRequest: TypeAlias = (
    GetRecord | GetRecords | ListRecords | GetSummary | GetOutput | Register | Submit
)


@dataclass(frozen=True, slots=True)
class OutputLink:
    """A presigned URL. It is a secret: anyone can read the output with it for some minutes."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutputInline:
    """The output itself."""

    content: bytes
    content_type: str | None


ServiceResponse: TypeAlias = dict[str, Any] | OutputLink | OutputInline | InferenceResultsError
"""Errors are responses too, because some of several concurrent requests can fail."""
