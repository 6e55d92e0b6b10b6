"""The parameters of requests. Each definition both checks values and describes them in OpenAPI."""

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

_MAX_TIME_CHARACTERS: Final = 64
_MAX_LOCATION_CHARACTERS: Final = 2048
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class TextParameter:
    """A string of 1 to `max_length` characters."""

    name: str
    max_length: int
    description: str
    ascii_only: bool = False

    def check(self, value: Any) -> str:
        """Return a valid value. Raises InvalidParameter."""
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
    """A number from `minimum` to `maximum`, inclusive. `whole`: an integer."""

    name: str
    minimum: int
    maximum: int
    default: int
    description: str
    whole: bool = False

    def check(self, value: Any) -> float:
        """Return a valid value. Raises InvalidParameter."""
        types = int if self.whole else (int, float)
        # bool is a subclass of int. NaN fails the comparison.
        if isinstance(value, bool) or not isinstance(value, types):
            raise InvalidParameter(self.name, self._expected)
        if not self.minimum <= value <= self.maximum:
            raise InvalidParameter(self.name, self._expected)
        return value

    def parse(self, text: str) -> float:
        """Parse a query parameter. Raises InvalidParameter."""
        # int() and float() accept more: 1_0, spaces, the digits of other scripts.
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
    """A time in ISO 8601, or in the format of HTTP's `Date` header."""

    name: str
    description: str

    def check(self, value: Any) -> str:
        """Return a valid time as a timestamp. Raises InvalidParameter."""
        text = value if isinstance(value, str) and len(value) <= _MAX_TIME_CHARACTERS else ""
        for parse in (parse_timestamp, _parse_http_date):
            with suppress(OverflowError, ValueError):
                return parse(text)
        raise InvalidParameter(self.name, "an ISO 8601 time with an offset, or an HTTP date")

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "minLength": 1, "maxLength": _MAX_TIME_CHARACTERS}


def _parse_http_date(text: str) -> str:
    """Parse `Sun, 25 Jan 2026 12:00:00 GMT` to a timestamp. Raises ValueError."""
    time = parsedate_to_datetime(text)
    if time.tzinfo is None:
        raise ValueError("expected a date in GMT")
    return timestamp(time)


@dataclass(frozen=True, slots=True)
class LocationParameter:
    """The location of an S3 object."""

    name: str
    description: str

    def check(self, value: Any) -> str:
        """Return a valid location as `s3://bucket/key`. Raises InvalidParameter."""
        with suppress(LocationRejected):
            if isinstance(value, str) and len(value) <= _MAX_LOCATION_CHARACTERS:
                return parse_location(value).uri
        expected = "s3://bucket/key or an https URL of an S3 object, with a key of up to 1024 bytes"
        raise InvalidParameter(self.name, expected)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "minLength": 8, "maxLength": _MAX_LOCATION_CHARACTERS}


@dataclass(frozen=True, slots=True)
class TextMapParameter:
    """An object of strings, with at most `max_bytes` as JSON."""

    name: str
    max_bytes: int
    description: str

    def check(self, value: Any) -> dict[str, str]:
        """Return a valid value. Raises InvalidParameter."""
        expected = f"an object whose values are strings, at most {self.max_bytes} bytes as JSON"
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


class BodyParameter(Protocol):
    """A property of a JSON body."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def schema(self) -> dict[str, Any]: ...

    def check(self, value: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class BodySchema:
    """The properties of a JSON body. Others are errors."""

    required: tuple[BodyParameter, ...]
    optional: tuple[BodyParameter, ...]

    def check(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the valid values by name. Raises InvalidParameter."""
        parameters = {each.name: each for each in (*self.required, *self.optional)}
        for name in body:
            if name not in parameters:
                raise unknown_parameter(name, parameters)
        for each in self.required:
            if each.name not in body:
                raise InvalidParameter(each.name, "a value")
        return {name: parameters[name].check(value) for name, value in body.items()}


def unknown_parameter(name: str, known: Iterable[str]) -> InvalidParameter:
    """The error for an unknown name. Truncates the name, which can be as long as a request."""
    parameters = ", ".join(known)
    expected = f"one of the parameters {parameters}" if parameters else "no parameters"
    return InvalidParameter(name[:64], expected)


MAX_BATCH: Final = 100

_ID: Final = "Inference id, exactly as SageMaker returned it."
INFERENCE_ID: Final = TextParameter("inference_id", 64, _ID, ascii_only=True)
ID: Final = TextParameter("id", 64, _ID, ascii_only=True)
_ENDPOINT: Final = "Endpoint name; `-` for records without one."
ENDPOINT_NAME: Final = TextParameter("endpoint_name", 256, _ENDPOINT, ascii_only=True)
ENDPOINT: Final = TextParameter("endpoint", 256, _ENDPOINT, ascii_only=True)
STATUS: Final = TextParameter("status", 64, "InProgress, Completed, Failed, Expired or Lost.")
SINCE: Final = TextParameter(
    "since",
    64,
    "Start time, inclusive: ISO 8601 with an offset, like 2026-01-25T12:00:00Z.",
)
UNTIL: Final = TextParameter("until", 64, "End time, exclusive: ISO 8601 with an offset.")
SINCE_DAY: Final = TextParameter(
    "since",
    10,
    "First day, UTC: YYYY-MM-DD. At most 30 days before `until`; defaults to 6 days before it.",
)
UNTIL_DAY: Final = TextParameter(
    "until", 10, "Last day, UTC: YYYY-MM-DD, inclusive. Defaults to today."
)
LIMIT: Final = NumberParameter(
    "limit", 1, 200, 50, "Maximum number of records on a page.", whole=True
)
CURSOR: Final = TextParameter(
    "cursor",
    1024,
    "`next_cursor` of the previous page. Valid for 24 hours, with the same other parameters.",
)
WAIT: Final = NumberParameter(
    "wait",
    0,
    20,
    0,
    "Seconds to wait for the inference to end. The response arrives as soon as it has ended.",
)

MAX_INLINE_INPUT_BYTES: Final = 128_000
"""InvokeEndpointAsync's limit for `Body`."""

INPUT: Final = "input"
"""The property of a submission that holds the input itself."""

IDEMPOTENCY_KEY: Final = TextParameter(
    "idempotency_key", 256, "A key that you choose. The endpoint is invoked once per key."
)
INPUT_LOCATION: Final = LocationParameter(
    "input_location",
    "S3 location of the input. The model's execution role must be able to read it.",
)
OUTPUT_LOCATION: Final = LocationParameter(
    "output_location", "OutputLocation in SageMaker's response."
)
FAILURE_LOCATION: Final = LocationParameter(
    "failure_location", "FailureLocation in SageMaker's response."
)
SUBMITTED_AT: Final = TimeParameter(
    "submitted_at",
    "When SageMaker accepted the invocation, by its own clock: the `Date` header of its response, "
    "or the same time in ISO 8601 with an offset.",
)
CONTENT_TYPE: Final = TextParameter(
    "content_type", 1024, "Content type of the input.", ascii_only=True
)
ACCEPT: Final = TextParameter(
    "accept", 1024, "Content type of the output that you want.", ascii_only=True
)
CUSTOM_ATTRIBUTES: Final = TextParameter(
    "custom_attributes",
    1024,
    "CustomAttributes for the model's container. Never logged.",
    ascii_only=True,
)
METADATA: Final = TextMapParameter(
    "metadata", 4096, "Your own strings, by name: the record's `caller_metadata`. Never logged."
)
TASK_TOKEN: Final = TextParameter(
    "task_token",
    2048,
    "Token of a Step Functions task, which completes when the inference has ended. A secret, never "
    "returned or logged. Only if the stack has `state_machine_arns`.",
)
MAX_TASK_TOKENS: Final = 20
"""Tasks that can wait for one inference."""
REQUEST_TTL_SECONDS: Final = NumberParameter(
    "request_ttl_seconds", 60, 21_600, 21_600, "RequestTTLSeconds of the invocation.", whole=True
)
INVOCATION_TIMEOUT_SECONDS: Final = NumberParameter(
    "invocation_timeout_seconds",
    1,
    3_600,
    900,
    "InvocationTimeoutSeconds of the invocation.",
    whole=True,
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
"""INPUT is checked separately. It replaces `input_location`."""
