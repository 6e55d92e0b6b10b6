"""Errors of the client. The type says what the caller can do.

InferenceResultsError
├── NotFound                no record exists for the id: wait for it, or check the id
│   └── RecordExpired       the record is past its retention
├── AmbiguousInference      the id exists on several endpoints: pass `endpoint`
├── InvalidRequest          a parameter is invalid: correct the call
├── IdempotencyKeyReused    the key belongs to another request: use another key
├── InvocationRejected      SageMaker rejected the request: nothing was invoked
├── NotAuthorized           access denied: check the credentials and their permissions
├── ServiceUnavailable      throttled or unreachable, also after retries: try again later
├── UnexpectedResponse      another server responded: check the URL
├── WaitTimeout             not ended in time: wait again; also a TimeoutError
├── InferenceFailed         ended without an output: see `code`, `reason` and `retryable`
│   ├── InferenceExpired    waited too long in the endpoint's queue
│   └── InferenceLost       passed its deadline without an output or a failure
└── OutputUnavailable       the output cannot be read: see `code`
    ├── NoOutput            the inference is not Completed
    ├── OutputRemoved       the recorded object was deleted or replaced
    ├── OutputTooLarge      larger than `max_bytes`: use `save_output`
    └── OutputMalformed     does not match its content type; also a ValueError

Messages contain no payloads, custom attributes or tokens.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from inference_results.domain.record.errors import InferenceResultsError

if TYPE_CHECKING:
    from inference_results.client.records import Inference


class ClientError(InferenceResultsError):
    """Base class of the client's errors.

    If an error ends a wait for several inferences, `done` holds those that have ended, by id, and
    `pending` the ids of the others.
    """

    done: Mapping[str, "Inference"] = MappingProxyType({})
    pending: Sequence[str] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would pass only the message to the constructor, which most subclasses reject.
        return _new_instance, (type(self),), self.__dict__ | {"args": self.args}


def _new_instance(kind: type[ClientError]) -> ClientError:
    return kind.__new__(kind)


class NotFound(ClientError):
    """No record exists for the id. It can still appear, or the id is wrong."""

    def __init__(self, inference_id: str, detail: str = "no record exists for this id") -> None:
        super().__init__(f"{inference_id}: {detail}")
        self.inference_id = inference_id


class RecordExpired(NotFound):
    """The record is past its retention, which ended at `expired_at`."""

    def __init__(self, inference_id: str, expired_at: str | None = None) -> None:
        when = f" at {expired_at}" if expired_at else ""
        super().__init__(inference_id, f"the record's retention ended{when}")
        self.expired_at = expired_at


class AmbiguousInference(ClientError):
    """The id exists on several endpoints. Pass one of `endpoints` as `endpoint`."""

    def __init__(self, inference_id: str, endpoints: Sequence[str]) -> None:
        super().__init__(
            f"{inference_id}: expected an endpoint, because the id exists on several:"
            f" {', '.join(endpoints)}"
        )
        self.inference_id = inference_id
        self.endpoints = list(endpoints)


class InvalidRequest(ClientError):
    """The call is invalid. `parameter` names the parameter to correct, if it is known."""

    def __init__(self, detail: str, parameter: str | None = None) -> None:
        super().__init__(f"{parameter}: {detail}" if parameter else detail)
        self.parameter = parameter


class IdempotencyKeyReused(ClientError):
    """The key belongs to a request with another input, content_type or accept. Use another key.

    `inference_id` is the inference of that request.
    """

    def __init__(self, inference_id: str) -> None:
        super().__init__(
            f"{inference_id}: the idempotency key belongs to another request; use another key"
        )
        self.inference_id = inference_id


class InvocationRejected(ClientError):
    """SageMaker rejected the request and invoked nothing. You can repeat the same call.

    `code` and `reason` are SageMaker's error code and message.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"SageMaker rejected the request: {code}")
        self.code = code
        self.reason = reason


class NotAuthorized(ClientError):
    """The API or AWS denied access. Check the credentials or the token, and their permissions.

    `status` is 401, 403 or None.
    """

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class ServiceUnavailable(ClientError):
    """The service is throttling, failing or unreachable. Try again later.

    `status` is None if no response arrived. `retry_after` is the delay in seconds that the service
    requested, if any.
    """

    def __init__(
        self, detail: str, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


class UnexpectedResponse(ClientError):
    """The response is not one of this API: check that the URL is not a proxy or another service."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class WaitTimeout(ClientError, TimeoutError):
    """Some inferences have not ended in time. Wait again for `pending`.

    `done` holds the inferences that have ended, by id; `pending` the ids of the others; `seen` the
    latest records of pending ids. No record exists for a pending id that is not in `seen`.
    `__cause__` is the last ServiceUnavailable, if the last poll failed.
    """

    def __init__(
        self,
        timeout: float,
        *,
        pending: Sequence[str],
        done: Mapping[str, "Inference"] | None = None,
        seen: Mapping[str, "Inference"] | None = None,
    ) -> None:
        self.timeout = timeout
        self.pending: list[str] = list(pending)
        self.done: dict[str, Inference] = dict(done or {})
        self.seen = dict(seen or {})
        super().__init__(self._message())

    def _message(self) -> str:
        late = f"did not end within {self.timeout:g} s"
        if len(self.pending) == 1 and not self.done:
            (inference_id,) = self.pending
            return f"{inference_id}: {late}; {_last_seen(self.seen.get(inference_id))}"
        total = len(self.pending) + len(self.done)
        unseen = len(self.pending) - len(self.seen)
        return (
            f"{len(self.pending)} of {total} inferences {late};"
            f" no record exists for {unseen} of them"
        )


def _last_seen(inference: "Inference | None") -> str:
    if inference is None:
        return "no record exists for this id"
    if inference.is_terminal:
        return "the record is that of an earlier invocation"
    return f"its status is {inference.status}"


class InferenceFailed(ClientError):
    """The inference ended without an output.

    `code` and `reason` come from the record's failure. If `retryable`, the same request can succeed
    later.
    """

    def __init__(self, inference: "Inference") -> None:
        failure = inference.failure
        self.inference = inference
        self.code = failure.code if failure else inference.status.upper()
        self.reason = failure.reason if failure else None
        self.retryable = failure.retryable if failure else False
        super().__init__(f"{inference.inference_id}: {inference.status}: {self.code}")


class InferenceExpired(InferenceFailed):
    """The request expired in the endpoint's queue before the model received it. Submit it again."""


class InferenceLost(InferenceFailed):
    """The deadline passed without an output or a failure. Check the endpoint, then submit again."""


class OutputUnavailable(ClientError):
    """The output cannot be read. `code` is the error code of S3 or of the service."""

    def __init__(self, inference_id: str, code: str, detail: str) -> None:
        super().__init__(f"{inference_id}: {detail} ({code})")
        self.inference_id = inference_id
        self.code = code


class NoOutput(OutputUnavailable):
    """The inference is not Completed. `code` is its status; wait if it is InProgress."""

    def __init__(self, inference_id: str, status: str) -> None:
        super().__init__(inference_id, status, "no output, because the inference is not Completed")


class OutputRemoved(OutputUnavailable):
    """The recorded version of the output was deleted or replaced."""

    def __init__(self, inference_id: str) -> None:
        super().__init__(inference_id, "OutputRemoved", "the output was deleted or replaced")


class OutputTooLarge(OutputUnavailable):
    """The output is larger than `max_bytes`. Pass a larger limit or use `save_output`.

    `size` is the output's size in bytes, if it is known.
    """

    def __init__(self, inference_id: str, max_bytes: int, size: int | None) -> None:
        output = f"the output of {size} bytes" if size is not None else "the output"
        detail = f"{output} exceeds the limit of {max_bytes} bytes: save it to a file"
        super().__init__(inference_id, "OutputTooLarge", detail)
        self.max_bytes = max_bytes
        self.size = size


class OutputMalformed(OutputUnavailable, ValueError):
    """The output does not match its content type. `content` holds the bytes."""

    def __init__(self, inference_id: str, content_type: str, content: bytes) -> None:
        super().__init__(inference_id, "OutputMalformed", f"the output is not valid {content_type}")
        self.content_type = content_type
        self.content = content
