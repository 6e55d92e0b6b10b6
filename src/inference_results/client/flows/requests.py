"""What can be asked of the service, whoever answers: the HTTP API or the table.

What submitters say is asked too: of a Register, or a Submit, the record comes of it.

Answers to the questions about records are documents in the shape of the API. A question about an
output is answered with OutputLink or OutputInline. A question raises InvalidRequest for an id, or the
name of an endpoint, that cannot be one: not all that Python takes for text can be sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from inference_results.client.errors import InvalidRequest
from inference_results.domain.record.errors import InferenceResultsError, InvalidParameter
from inference_results.domain.record.parameters import ENDPOINT, INFERENCE_ID

MAX_IDS: Final = 100
"""In one question about many records."""

MAX_WAIT_SECONDS: Final = 20.0
"""What the service holds a question open for, at most."""


@dataclass(frozen=True, slots=True)
class GetRecord:
    """The record of an id. `wait`: seconds within which to answer as soon as it has ended."""

    inference_id: str
    endpoint: str | None = None
    wait: float = 0

    def __post_init__(self) -> None:
        _check([self.inference_id], self.endpoint)


@dataclass(frozen=True, slots=True)
class GetRecords:
    """The records of at most MAX_IDS ids. `wait` is for all of them to end."""

    inference_ids: tuple[str, ...]
    endpoint: str | None = None
    wait: float = 0

    def __post_init__(self) -> None:
        _check(self.inference_ids, self.endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecords:
    """Some of the records of an endpoint, of a status, or of both, newest first."""

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
    """The results of an endpoint by day, `YYYY-MM-DD`, both ends included."""

    endpoint: str
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        _check([], self.endpoint)


@dataclass(frozen=True, slots=True)
class GetOutput:
    """Where the output of an inference can be read now."""

    inference_id: str
    endpoint: str | None = None

    def __post_init__(self) -> None:
        _check([self.inference_id], self.endpoint)


@dataclass(frozen=True, slots=True)
class Register:
    """Keep that an invocation was made. `members` are those of the form REGISTRATION, checked."""

    inference_id: str
    members: Mapping[str, Any] = field(repr=False, hash=False)

    def __post_init__(self) -> None:
        _check([self.inference_id], self.members[ENDPOINT.name])


@dataclass(frozen=True, slots=True)
class Submit:
    """Invoke an endpoint once. `members` are those of the form SUBMISSION, checked.

    `body` is the input itself, where the members have no `input_location`.
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
    """A URL that anybody may read for some minutes: it is a secret."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutputInline:
    """The output itself."""

    content: bytes
    content_type: str | None


ServiceResponse: TypeAlias = dict[str, Any] | OutputLink | OutputInline | InferenceResultsError
"""An error is a reply like others: of questions asked side by side, some fail."""
