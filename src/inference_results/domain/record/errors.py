"""Errors. The type decides what happens next.

InferenceResultsError
├── Unprocessable            no retry can help               -> rejected to a queue, with the reason
├── Unavailable              AWS throttled or failed         -> retried; 503
├── MalformedRecord          this service did not write it   -> skipped and counted
├── OutputUnreadable         an object cannot be read        -> recorded with `output_error`; 404
│   ├── LocationRejected     invalid, or outside the output prefixes: S3 is not called
│   └── ObjectDenied         S3 denied access                -> retried twice, then as above
│       └── ObjectMissing    S3 has no such object           -> the same; 410 if it was recorded
│           └── ObjectReplaced   S3 has another object       -> 410
├── UnknownInference         no record exists                -> 404
├── RecordExpired            past its retention              -> 410
├── AmbiguousInference       records on several endpoints    -> 409
├── NoOutput                 the status is not Completed     -> 409
├── KeyReused                the key has another request     -> 422
├── InvocationRejected       SageMaker rejected the request  -> 400
├── InvocationUnconfirmed    SageMaker did not respond       -> the record stays in progress
└── InvalidParameter         a request parameter is invalid  -> 400

Messages reach logs: they name fields and what was expected, never the values found.
"""

from enum import StrEnum


class InferenceResultsError(Exception):
    """Base class of all errors of the domain."""


class Reason(StrEnum):
    """Why a message is unprocessable. Each reason is a metric, which costs money."""

    NOT_JSON = "NotJson"
    UNKNOWN_EVENT = "UnknownEvent"
    MISSING_FIELD = "MissingField"
    INVALID_FIELD = "InvalidField"


class Unprocessable(InferenceResultsError):
    """The message can never be recorded: `field` is not what was expected."""

    def __init__(self, reason: Reason, field: str, expected: str) -> None:
        self.reason = reason
        self.field = field
        self.detail = f"{field}: expected {expected}"
        super().__init__(f"{reason}: {self.detail}")


class Unavailable(InferenceResultsError):
    """AWS throttled a call, failed, or did not respond in time. A retry can succeed."""

    def __init__(self, service: str, code: str) -> None:
        super().__init__(f"{service}: {code}")


class MalformedRecord(InferenceResultsError):
    """This service did not write the item: other writers can store anything in the table."""


class OutputUnreadable(InferenceResultsError):
    """The object at a location cannot be read. `code` is S3's error code, if S3 was called."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class LocationRejected(OutputUnreadable):
    """The location is invalid or outside the output prefixes. S3 was not called."""


class ObjectDenied(OutputUnreadable):
    """S3 denied access."""


class ObjectMissing(ObjectDenied):
    """S3 has no such object, or no such bucket."""


class ObjectReplaced(ObjectMissing):
    """S3 has another object than the recorded one at the location."""


class UnknownInference(InferenceResultsError):
    """No record exists for the id."""


class RecordExpired(InferenceResultsError):
    """The record passed its retention at `expired_at`, a timestamp."""

    def __init__(self, expired_at: str) -> None:
        super().__init__("the record has passed its retention")
        self.expired_at = expired_at


class AmbiguousInference(InferenceResultsError):
    """Several endpoints have a record for the id. Pass one of `endpoints`."""

    def __init__(self, endpoints: list[str]) -> None:
        super().__init__("several endpoints have a record for this id: pass an endpoint")
        self.endpoints = endpoints


class NoOutput(InferenceResultsError):
    """The inference has no output: its status is not Completed."""

    def __init__(self, status: str) -> None:
        super().__init__("the inference has no output: its status is not Completed")
        self.status = status


class KeyReused(InferenceResultsError):
    """The idempotency key belongs to a request with another input, content type or accept."""

    def __init__(self, inference_id: str) -> None:
        super().__init__("the idempotency key belongs to another request: use a new key")
        self.inference_id = inference_id


class InvocationRejected(InferenceResultsError):
    """SageMaker rejected the request, with `code` and `message`. Nothing was invoked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"SageMaker rejected the request: {code}")
        self.code = code
        self.message = message


class InvocationUnconfirmed(InferenceResultsError):
    """SageMaker did not respond: it may or may not have accepted the invocation."""


class InvalidParameter(InferenceResultsError):
    """A parameter of a request is not what was expected."""

    def __init__(self, parameter: str, expected: str) -> None:
        super().__init__(f"{parameter}: expected {expected}")
        self.parameter = parameter
        self.expected = expected
