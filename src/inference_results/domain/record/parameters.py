"""The parameters of requests: each with its limits, stated once to check and to describe it."""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol

from inference_results.domain.record.errors import InvalidParameter, LocationRejected
from inference_results.domain.record.location import parse_location
from inference_results.domain.record.timestamps import parse_timestamp, timestamp

_MAX_TIME: Final = 64
_MAX_LOCATION: Final = 2048
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class TextParameter:
    """`max_length` in characters; at least one is needed."""

    name: str
    max_length: int
    description: str
    ascii_only: bool = False

    def check(self, value: Any) -> str:
        """The value. Raises InvalidParameter."""
        if not isinstance(value, str) or not 1 <= len(value) <= self.max_length:
            raise InvalidParameter(self.name, self._expected)
        if self.ascii_only and not (value.isascii() and value.isprintable()):
            raise InvalidParameter(self.name, self._expected)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidParameter(self.name, "valid Unicode") from None
        return value

    def accepts(self, value: Any) -> bool:
        try:
            self.check(value)
        except InvalidParameter:
            return False
        return True

    def parse(self, text: str) -> str:
        return self.check(text)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        limits = {"type": "string", "minLength": 1, "maxLength": self.max_length}
        return limits | {"pattern": "^[ -~]+$"} if self.ascii_only else limits

    @property
    def _expected(self) -> str:
        kind = "printable ASCII " if self.ascii_only else ""
        return f"1 to {self.max_length} {kind}characters"


@dataclass(frozen=True, slots=True)
class NumberParameter:
    """Limits are included; `whole` refuses fractions."""

    name: str
    minimum: int
    maximum: int
    default: int
    description: str
    whole: bool = False

    def check(self, value: Any) -> float:
        """The value. Raises InvalidParameter."""
        kinds = int if self.whole else (int, float)
        # A bool is an int to Python; NaN fails the comparison.
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise InvalidParameter(self.name, self._expected)
        if not self.minimum <= value <= self.maximum:
            raise InvalidParameter(self.name, self._expected)
        return value

    def parse(self, text: str) -> float:
        """The value of its text. Raises InvalidParameter."""
        # Python's own reading takes more: 1_0, spaces, the digits of other scripts.
        if not _NUMBER.fullmatch(text):
            raise InvalidParameter(self.name, self._expected)
        return self.check(int(text) if self.whole and text.isdigit() else float(text))

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        kind = "integer" if self.whole else "number"
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return {"type": kind, **limits, "default": self.default}

    @property
    def _expected(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.minimum} to {self.maximum}"


@dataclass(frozen=True, slots=True)
class TimeParameter:
    """A point in time, in the form of ISO 8601 or of HTTP's `Date`."""

    name: str
    description: str

    def check(self, value: Any) -> str:
        """Its stored form. Raises InvalidParameter."""
        text = value if isinstance(value, str) and len(value) <= _MAX_TIME else ""
        for read in (parse_timestamp, _parse_date):
            with suppress(OverflowError, ValueError):
                return read(text)
        raise InvalidParameter(self.name, "an ISO 8601 time with an offset, or an HTTP date")

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "minLength": 1, "maxLength": _MAX_TIME}


def _parse_date(text: str) -> str:
    """`Sun, 25 Jan 2026 12:00:00 GMT`, in stored form."""
    moment = parsedate_to_datetime(text)
    if moment.tzinfo is None:
        raise ValueError("an HTTP date says GMT")
    return timestamp(moment)


@dataclass(frozen=True, slots=True)
class LocationParameter:
    """An object in S3."""

    name: str
    description: str

    def check(self, value: Any) -> str:
        """As `s3://bucket/key`. Raises InvalidParameter."""
        with suppress(LocationRejected):
            if isinstance(value, str) and len(value) <= _MAX_LOCATION:
                return parse_location(value).uri
        expected = "s3://bucket/key or an https URL of S3, the key at most 1024 bytes"
        raise InvalidParameter(self.name, expected)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "minLength": 8, "maxLength": _MAX_LOCATION}


@dataclass(frozen=True, slots=True)
class TextMapParameter:
    """Texts by name; `max_bytes` is for all of them, as JSON."""

    name: str
    max_bytes: int
    description: str

    def check(self, value: Any) -> dict[str, str]:
        """The value. Raises InvalidParameter."""
        expected = f"an object of texts by name, at most {self.max_bytes} bytes of JSON"
        if not isinstance(value, Mapping):
            raise InvalidParameter(self.name, expected)
        if not all(isinstance(each, str) for pair in value.items() for each in pair) or "" in value:
            raise InvalidParameter(self.name, expected)
        try:
            size = len(json.dumps(dict(value), ensure_ascii=False).encode())
        except UnicodeEncodeError:
            raise InvalidParameter(self.name, expected) from None
        if size > self.max_bytes:
            raise InvalidParameter(self.name, expected)
        return dict(value)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "object", "additionalProperties": {"type": "string"}}


class MemberParameter(Protocol):
    """Whatever checks a member of a body, and describes it."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def schema(self) -> dict[str, Any]: ...

    def check(self, value: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class BodySchema:
    """The members that a body may have, those that it must have first."""

    required: tuple[MemberParameter, ...]
    optional: tuple[MemberParameter, ...]

    def check(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """The values by name. Raises InvalidParameter."""
        parameters = {each.name: each for each in (*self.required, *self.optional)}
        for name in members:
            if name not in parameters:
                raise unknown_member(name, parameters)
        for each in self.required:
            if each.name not in members:
                raise InvalidParameter(each.name, "a value")
        return {name: parameters[name].check(value) for name, value in members.items()}


def unknown_member(name: str, known: Iterable[str]) -> InvalidParameter:
    """For a name that is none of those known; it may be as long as a request."""
    return InvalidParameter(name[:64], f"one of {', '.join(known) or 'none'}")


MAX_BATCH: Final = 100

_ID: Final = "The id of the inference, exactly as SageMaker gave it."
INFERENCE_ID: Final = TextParameter("inference_id", 64, _ID, ascii_only=True)
ID: Final = TextParameter("id", 64, _ID, ascii_only=True)
_ENDPOINT: Final = "The name of the endpoint; `-` where none was named."
ENDPOINT_NAME: Final = TextParameter("endpoint_name", 256, _ENDPOINT, ascii_only=True)
ENDPOINT: Final = TextParameter("endpoint", 256, _ENDPOINT, ascii_only=True)
STATUS: Final = TextParameter("status", 64, "InProgress, Completed, Failed, Expired or Lost.")
SINCE: Final = TextParameter(
    "since", 64, "Not before this time: ISO 8601 with an offset, like 2026-01-25T12:00:00Z."
)
UNTIL: Final = TextParameter("until", 64, "Before this time: ISO 8601 with an offset.")
SINCE_DAY: Final = TextParameter(
    "since", 10, "First day, YYYY-MM-DD, of UTC; at most 31 days in all. By default the last 7."
)
UNTIL_DAY: Final = TextParameter("until", 10, "Last day, included.")
LIMIT: Final = NumberParameter("limit", 1, 200, 50, "The most records on a page.", whole=True)
CURSOR: Final = TextParameter(
    "cursor", 1024, "`next_cursor` of the page before, of the same question, at most a day old."
)
WAIT: Final = NumberParameter(
    "wait", 0, 20, 0, "Seconds to wait for the end; the answer comes at once when that is reached."
)

MAX_INLINE_INPUT_BYTES: Final = 128_000
"""What InvokeEndpointAsync takes as its Body."""

INPUT: Final = "input"
"""The member of a submission that holds the input itself."""

IDEMPOTENCY_KEY: Final = TextParameter(
    "idempotency_key", 256, "Stands for this request: with the same key it is invoked once."
)
INPUT_LOCATION: Final = LocationParameter(
    "input_location", "Where the input is, for the model's execution role to read."
)
OUTPUT_LOCATION: Final = LocationParameter("output_location", "The answer's OutputLocation.")
FAILURE_LOCATION: Final = LocationParameter("failure_location", "The answer's FailureLocation.")
SUBMITTED_AT: Final = TimeParameter(
    "submitted_at",
    "When SageMaker took the invocation, by its own clock: the `Date` header of its answer, or "
    "that time in ISO 8601 with an offset.",
)
CONTENT_TYPE: Final = TextParameter(
    "content_type", 1024, "Of the input, as told to the model.", ascii_only=True
)
ACCEPT: Final = TextParameter("accept", 1024, "The wanted type of the output.", ascii_only=True)
CUSTOM_ATTRIBUTES: Final = TextParameter(
    "custom_attributes", 1024, "For the model's container. Never logged.", ascii_only=True
)
METADATA: Final = TextMapParameter(
    "metadata", 4096, "Kept with the record as `caller_metadata`. Never logged."
)
TASK_TOKEN: Final = TextParameter(
    "task_token",
    2048,
    "Of a task of a state machine that waits: it is answered when the inference has ended. A "
    "secret, never shown or logged. Only where the stack has `state_machine_arns`.",
)
MAX_TASK_TOKENS: Final = 20
"""That wait for one inference."""
REQUEST_TTL_SECONDS: Final = NumberParameter(
    "request_ttl_seconds", 60, 21_600, 21_600, "RequestTTLSeconds.", whole=True
)
INVOCATION_TIMEOUT_SECONDS: Final = NumberParameter(
    "invocation_timeout_seconds", 1, 3_600, 900, "InvocationTimeoutSeconds.", whole=True
)

REGISTRATION: Final = BodySchema(
    required=(ENDPOINT, SUBMITTED_AT, OUTPUT_LOCATION),
    optional=(
        FAILURE_LOCATION,
        INPUT_LOCATION,
        CONTENT_TYPE,
        CUSTOM_ATTRIBUTES,
        METADATA,
        TASK_TOKEN,
        REQUEST_TTL_SECONDS,
        INVOCATION_TIMEOUT_SECONDS,
    ),
)
SUBMISSION: Final = BodySchema(
    required=(ENDPOINT, IDEMPOTENCY_KEY),
    optional=(
        INPUT_LOCATION,
        CONTENT_TYPE,
        ACCEPT,
        CUSTOM_ATTRIBUTES,
        METADATA,
        TASK_TOKEN,
        REQUEST_TTL_SECONDS,
        INVOCATION_TIMEOUT_SECONDS,
    ),
)
"""Besides the input itself, which is bytes where it is not a location."""
