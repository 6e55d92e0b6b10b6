"""What the client raises. The type says what the caller can do.

InferenceResultsError
├── NotFound                nothing is recorded under the id: it may come, or the id is wrong
│   └── RecordExpired       there was a record; its retention is over
├── AmbiguousInference      on several endpoints: name one
├── InvalidRequest          the call is wrong: mend it
├── IdempotencyKeyReused    the key stands for another request: choose another key
├── InvocationRejected       SageMaker did not take the request: nothing was invoked
├── NotAuthorized           the token or the credentials: renew them, or be allowed
├── ServiceUnavailable      may work later; the retries are used up
├── UnexpectedResponse        what answers is no such API: is the URL right?
├── WaitTimeout             not ended in time; also a TimeoutError
├── InferenceFailed         ended without an output
│   ├── InferenceExpired    it waited in the endpoint's queue for too long
│   └── InferenceLost       neither output nor failure was seen until the deadline
└── OutputUnavailable       no output can be had
    ├── NoOutput            the inference is not Completed (InProgress, perhaps)
    ├── OutputRemoved       what was recorded is gone or replaced
    ├── OutputTooLarge      more than the caller takes into memory: save it
    └── OutputMalformed     it is not what its content type says; also a ValueError

Texts hold no payload, no custom attributes and no token.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from inference_results.domain.record.errors import InferenceResultsError

if TYPE_CHECKING:
    from inference_results.client.records import Inference


class ClientError(InferenceResultsError):
    """What all of them have in common.

    Of an error that ends a wait for several, `done` are the inferences that have ended, by id, and
    `pending` the ids of the others.
    """

    done: Mapping[str, "Inference"] = MappingProxyType({})
    pending: Sequence[str] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own calls the constructor with the text: no leaf's takes only that.
        return _bare, (type(self),), self.__dict__ | {"args": self.args}


def _bare(kind: type[ClientError]) -> ClientError:
    return kind.__new__(kind)


class NotFound(ClientError):
    """Nothing is recorded under the id."""

    def __init__(self, inference_id: str, detail: str = "no inference with this id is recorded"):
        super().__init__(f"{inference_id}: {detail}")
        self.inference_id = inference_id


class RecordExpired(NotFound):
    """There was a record; its retention is over."""

    def __init__(self, inference_id: str, expired_at: str | None = None) -> None:
        when = f" since {expired_at}" if expired_at else ""
        super().__init__(inference_id, f"the record is past its retention{when}")
        self.expired_at = expired_at


class AmbiguousInference(ClientError):
    """The id is recorded on several endpoints: name one of `endpoints`."""

    def __init__(self, inference_id: str, endpoints: Sequence[str]) -> None:
        super().__init__(f"{inference_id}: recorded on several endpoints: {', '.join(endpoints)}")
        self.inference_id = inference_id
        self.endpoints = list(endpoints)


class InvalidRequest(ClientError):
    """The call is wrong; `parameter` says what of it, where that is known."""

    def __init__(self, detail: str, parameter: str | None = None) -> None:
        super().__init__(f"{parameter}: {detail}" if parameter else detail)
        self.parameter = parameter


class IdempotencyKeyReused(ClientError):
    """The key stands for a request with another input, content_type or accept.

    `inference_id` is the inference of that one.
    """

    def __init__(self, inference_id: str) -> None:
        super().__init__(f"{inference_id}: the idempotency key was used for another request")
        self.inference_id = inference_id


class InvocationRejected(ClientError):
    """SageMaker did not take the request, and nothing was invoked.

    `code` is SageMaker's word for why, `reason` says it at length. The same call may be repeated.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"SageMaker did not take the request: {code}")
        self.code = code
        self.reason = reason


class NotAuthorized(ClientError):
    """The API, or AWS, does not accept who is asking; `status` is 401, 403 or None."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class ServiceUnavailable(ClientError):
    """Throttled, failed inside, or not reached; `status` is None if no answer came.

    `retry_after` is what the service asked for, in seconds.
    """

    def __init__(
        self, detail: str, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


class UnexpectedResponse(ClientError):
    """What answers does not speak as this API does: another service, a proxy, a wrong URL."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class WaitTimeout(ClientError, TimeoutError):
    """Some inferences have not ended in time.

    `done` are those that have, by id; `pending` the ids of the others; `seen` the last records of
    the pending ones. A pending id that is not in `seen` was never recorded. `__cause__` is the last
    ServiceUnavailable, if the service did not answer the last time.
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
        super().__init__(self._text())

    def _text(self) -> str:
        within = f"not ended within {self.timeout:g} s"
        if len(self.pending) == 1 and not self.done:
            (inference_id,) = self.pending
            return f"{inference_id}: {within}; {_last_seen(self.seen.get(inference_id))}"
        total = len(self.pending) + len(self.done)
        unseen = len(self.pending) - len(self.seen)
        return f"{len(self.pending)} of {total} {within}; {unseen} never recorded"


def _last_seen(inference: "Inference | None") -> str:
    if inference is None:
        return "never recorded"
    return "recorded of an earlier invocation only" if inference.is_terminal else inference.status


class InferenceFailed(ClientError):
    """The inference ended without an output.

    `code` and `reason` are those of the record's failure; `retryable`: the same request may succeed
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
    """The request waited in the endpoint's queue for too long, and was never tried."""


class InferenceLost(InferenceFailed):
    """The deadline passed, and neither an output nor a failure was seen."""


class OutputUnavailable(ClientError):
    """No output can be had; `code` is S3's or the service's word for why."""

    def __init__(self, inference_id: str, code: str, detail: str) -> None:
        super().__init__(f"{inference_id}: {detail} ({code})")
        self.inference_id = inference_id
        self.code = code


class NoOutput(OutputUnavailable):
    """The inference has the status `code`, which comes without an output."""

    def __init__(self, inference_id: str, status: str) -> None:
        super().__init__(inference_id, status, "the inference has no output")


class OutputRemoved(OutputUnavailable):
    """The recorded version of the output is gone or replaced."""

    def __init__(self, inference_id: str) -> None:
        super().__init__(inference_id, "OutputRemoved", "the output is gone or replaced")


class OutputTooLarge(OutputUnavailable):
    """The output has more than `max_bytes`; `size` is its size in bytes, where that is known."""

    def __init__(self, inference_id: str, max_bytes: int, size: int | None) -> None:
        known = f"{size} bytes" if size is not None else "larger"
        detail = f"the limit is {max_bytes} bytes, the output is {known}: save it to a file"
        super().__init__(inference_id, "OutputTooLarge", detail)
        self.max_bytes = max_bytes
        self.size = size


class OutputMalformed(OutputUnavailable, ValueError):
    """The output is not what its content type says; `content` is what it is."""

    def __init__(self, inference_id: str, content_type: str, content: bytes) -> None:
        super().__init__(inference_id, "OutputMalformed", f"the output is no {content_type}")
        self.content_type = content_type
        self.content = content
