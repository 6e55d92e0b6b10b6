"""The error tree. The type decides what happens next.

InferenceResultsError
├── Unprocessable         no retry can help          -> parked with the reason, acknowledged
├── Unavailable           may work later             -> in batchItemFailures, delivered again
├── MalformedRecord       nobody here wrote it       -> not announced, counted
├── OutputUnreadable      a location yields nothing  -> recorded with `output_error`
│   ├── LocationRejected   S3 is not asked
│   └── ObjectDenied      S3 refuses; may pass       -> like Unavailable on the first receives
│       └── ObjectMissing nothing is there (yet)
│           └── ObjectReplaced  another is there by now
├── UnknownInference      nothing is recorded        -> 404
├── RecordExpired         past its retention         -> 410
├── AmbiguousInference    on several endpoints       -> 409
├── NoOutput              not Completed              -> 409
├── KeyReused             it stands for another request -> 422
├── InvocationRejected     SageMaker did not take it  -> 400
├── InvocationUnconfirmed nobody can tell            -> the record stays in progress
└── InvalidParameter      the question is malformed  -> 400

Texts name fields and expectations, never the values found: they reach logs.
"""

from enum import StrEnum


class InferenceResultsError(Exception):
    """Root of every error that this package raises on purpose."""


class Reason(StrEnum):
    """Why a message is unprocessable. Each is a metric that is paid for."""

    NOT_JSON = "NotJson"
    UNKNOWN_EVENT = "UnknownEvent"
    MISSING_FIELD = "MissingField"
    INVALID_FIELD = "InvalidField"


class Unprocessable(InferenceResultsError):
    """The message can never become a record: `field` is not what was expected."""

    def __init__(self, reason: Reason, field: str, expected: str) -> None:
        self.reason = reason
        self.field = field
        self.detail = f"{field}: expected {expected}"
        super().__init__(f"{reason}: {self.detail}")


class Unavailable(InferenceResultsError):
    """AWS throttled the call, failed inside, or did not answer in time."""

    def __init__(self, service: str, code: str) -> None:
        super().__init__(f"{service}: {code}")


class MalformedRecord(InferenceResultsError):
    """An item of the table is not as this service writes it: whoever may write, may write that."""


class OutputUnreadable(InferenceResultsError):
    """The object at a location cannot be read; `code` is S3's own word where S3 was asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class LocationRejected(OutputUnreadable):
    """The location is malformed or outside the allowed prefixes; S3 was not asked."""


class ObjectDenied(OutputUnreadable):
    """S3 was asked and refused."""


class ObjectMissing(ObjectDenied):
    """S3 was asked and has no such object (or no such bucket)."""


class ObjectReplaced(ObjectMissing):
    """S3 has an object there, but not the one that was recorded."""


class UnknownInference(InferenceResultsError):
    """Nothing is recorded under the id."""


class RecordExpired(InferenceResultsError):
    """The record was past its retention at `expired_at`, and is not shown any more."""

    def __init__(self, expired_at: str) -> None:
        super().__init__("the record is past its retention")
        self.expired_at = expired_at


class AmbiguousInference(InferenceResultsError):
    """The id is recorded on several endpoints: name one of `endpoints`."""

    def __init__(self, endpoints: list[str]) -> None:
        super().__init__("the id is recorded on several endpoints")
        self.endpoints = endpoints


class NoOutput(InferenceResultsError):
    """There is no output, because the status is not Completed."""

    def __init__(self, status: str) -> None:
        super().__init__("the inference has no output")
        self.status = status


class KeyReused(InferenceResultsError):
    """The idempotency key stands for a request with another input already."""

    def __init__(self, inference_id: str) -> None:
        super().__init__("the idempotency key was used for another request")
        self.inference_id = inference_id


class InvocationRejected(InferenceResultsError):
    """SageMaker did not take the request: nothing was invoked. `code` and `message` are its own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"SageMaker refuses: {code}")
        self.code = code
        self.message = message


class InvocationUnconfirmed(InferenceResultsError):
    """SageMaker was called and gave no answer: the invocation may have been made."""


class InvalidParameter(InferenceResultsError):
    """A parameter of a query is not what was expected."""

    def __init__(self, parameter: str, expected: str) -> None:
        super().__init__(f"{parameter}: expected {expected}")
        self.parameter = parameter
        self.expected = expected
