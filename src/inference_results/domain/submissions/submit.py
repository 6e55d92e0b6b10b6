"""Invoke an endpoint once per idempotency key, and record the submission.

An attempt is recorded before SageMaker is called, in one of two stages. Preparing: all callers with
the key upload their large input; then one of them claims the invocation with a conditional write.
Invoking: no other caller calls SageMaker, whatever happens to that one. The result ends the record,
or reconciliation does.

See docs/decisions/0010-one-key-one-invocation.md.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.record.errors import (
    InvalidParameter,
    InvocationRejected,
    InvocationUnconfirmed,
    KeyReused,
    Unavailable,
)
from inference_results.domain.record.location import Location, parse_location
from inference_results.domain.record.parameters import (
    ENDPOINT,
    INPUT,
    INPUT_LOCATION,
    SUBMISSION,
    TASK_TOKEN,
)
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.record.view import to_api_record
from inference_results.domain.submissions.register import Registrations
from inference_results.domain.submissions.submission import (
    Stage,
    Submission,
    as_registration,
    attempt_order,
    build_submission,
    check_task_token,
)

_DELAY_SECONDS: Final = 0.2
_INVOKING_SECONDS: Final = 20
"""By then, an invoking caller has SageMaker's response or never will: two calls, 19 s at most."""

_WITHDRAWING_SECONDS: Final = 35
"""By then, no caller withdraws its attempt any more: two tries take 15 s, after the two calls."""

_MAX_ROUNDS: Final = 3
"""Another round starts when another caller has withdrawn its attempt."""

_MAX_TRIES: Final = 2
"""Tries to write SageMaker's response, and to withdraw an attempt.

Without the response, reconciliation does not know where the output is. An attempt that remains
counts as one that may have invoked.
"""

_REQUEST: Final = (INPUT_LOCATION.name, "content_type", "accept")
"""Parameters that make a different request, besides the input itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A call of InvokeEndpointAsync, with either `body` or `input_location`."""

    inference_id: str
    endpoint_name: str
    body: bytes | None = field(repr=False)
    input_location: str | None
    content_type: str | None
    accept: str | None
    custom_attributes: str | None = field(repr=False)
    request_ttl_seconds: int | None
    invocation_timeout_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationResponse:
    """SageMaker's response. `invoked_at` is by its own clock."""

    invoked_at: datetime
    output_location: str | None
    failure_location: str | None


class Endpoints(Protocol):
    """SageMaker."""

    @property
    def max_body_bytes(self) -> int:
        """The size of the largest input that a request can contain."""

    def invoke(self, invocation: Invocation) -> InvocationResponse:
        """Invoke an endpoint, without retries.

        Raises InvocationRejected or Unavailable if nothing was invoked, InvocationUnconfirmed if
        that is unknown.
        """


class Inputs(Protocol):
    """S3, for large inputs."""

    def put(self, location: Location, body: bytes, content_type: str | None) -> None:
        """Write an object. Raises Unavailable."""


class Attempts(Registrations, Protocol):
    """The inferences table."""

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        """Record an attempt and return None, or return the existing item. Raises Unavailable."""

    def claim(self, attempt: Submission) -> bool:
        """Claim a prepared invocation. False if another caller has it. Raises Unavailable."""

    def add_token(self, submission: Submission) -> dict[str, Any]:
        """Add the task token and return the item; empty if the item is gone.

        Raises InvalidParameter if the item has too many tokens; Unavailable.
        """

    def withdraw(self, attempt: Submission) -> None:
        """Delete the record of an attempt that invoked nothing, if it is unchanged.

        Raises Unavailable.
        """

    def item(self, inference_id: str, endpoint_name: str) -> dict[str, Any]:
        """The current item; empty if it does not exist. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The record. `created`: this call invoked the endpoint."""

    record: dict[str, Any]
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitInference:
    """Submits inferences.

    `endpoint_names`: the endpoints that callers can invoke; None for any.
    `input_prefix`: `s3://bucket/prefix/` for inputs that are too large for the request.
    `completes_tasks`: whether the service completes Step Functions tasks.
    """

    attempts: Attempts
    endpoints: Endpoints
    inputs: Inputs
    input_prefix: str | None
    endpoint_names: frozenset[str] | None
    completes_tasks: bool
    retention: timedelta
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    new_token: Callable[[], str]

    def __call__(self, parameters: Mapping[str, Any], content: bytes | None = None) -> Submitted:
        """Submit an inference, or return the record of an earlier request with the same key.

        SUBMISSION checks `parameters`. Pass `content`, the input itself, unless they have an
        `input_location`. Raises InvalidParameter, KeyReused, InvocationRejected or Unavailable. The
        same call is safe to repeat after any of them.
        """
        request = SUBMISSION.check(parameters)
        self._check_endpoint(request["endpoint"])
        check_task_token(request, enabled=self.completes_tasks)
        polls = iter(range(int(_INVOKING_SECONDS / _DELAY_SECONDS)))
        for _ in range(_MAX_ROUNDS):
            attempt = self._attempt(request, content)
            if claimed := self._claim(attempt, request, content):
                return self._invoke(claimed, request, content)
            if attempt.task_token:
                self.attempts.add_token(attempt)
            item = self._wait_for_invocation(attempt, polls)
            # Without an item, the invoking caller withdrew its attempt: nothing was invoked.
            if item and self._keeps_token(item, attempt):
                return Submitted(to_api_record(item), created=False)
        raise Unavailable("submission", "Contended")

    def _claim(
        self, attempt: Submission, request: dict[str, Any], content: bytes | None
    ) -> Submission | None:
        """Return the attempt that this caller has to invoke; None if another caller invokes."""
        with self._withdrawing(attempt):
            item = self.attempts.create(attempt)
            if item is not None and not _is_prepared(item, attempt):
                return None
            if attempt.stage is Stage.INVOKING:
                return attempt if item is None else None
            self._upload(attempt, content or b"")
        # A new attempt, whose time starts now: the upload can take long.
        claiming = replace(self._attempt(request, content), stage=Stage.INVOKING)
        with self._withdrawing(claiming):
            return claiming if self.attempts.claim(claiming) else None

    @contextmanager
    def _withdrawing(self, attempt: Submission) -> Iterator[None]:
        """Withdraw the attempt after an error. If that fails, reconciliation ends its record."""
        try:
            yield
        except (InvocationRejected, Unavailable):
            for _ in range(_MAX_TRIES):
                with suppress(Unavailable):
                    self.attempts.withdraw(attempt)
                    break
                self.sleep(_DELAY_SECONDS)
            raise

    def _attempt(self, request: dict[str, Any], content: bytes | None) -> Submission:
        inference_id = inference_id_for(request["endpoint"], request["idempotency_key"])
        now = self.now()
        digest = _request_digest(request, content)
        uploaded = self._upload_location(f"{inference_id}/{digest}", request, content)
        attempt = build_submission(
            inference_id,
            request | ({INPUT_LOCATION.name: uploaded} if uploaded else {}),
            submitted_at=now,
            now=now,
            retention=self.retention,
        )
        return replace(
            attempt,
            order=attempt_order(self.new_token()),
            stage=Stage.PREPARING if uploaded else Stage.INVOKING,
            request_digest=digest,
        )

    def _upload_location(
        self, name: str, request: Mapping[str, Any], content: bytes | None
    ) -> str | None:
        """Where to upload the input; None if the request to SageMaker can contain it.

        `name` includes the input's digest: a late upload of another input cannot overwrite it.
        """
        if (content is None) == (INPUT_LOCATION.name not in request):
            raise InvalidParameter(INPUT, "either an input or an input_location")
        max_bytes = self.endpoints.max_body_bytes
        if content is None or 0 < len(content) <= max_bytes:
            return None
        if self.input_prefix is None:
            raise InvalidParameter(
                INPUT, f"1 to {max_bytes} bytes: pass other inputs by input_location"
            )
        return f"{self.input_prefix}{name}"

    def _check_endpoint(self, endpoint_name: str) -> None:
        if self.endpoint_names is not None and endpoint_name not in self.endpoint_names:
            raise InvalidParameter(ENDPOINT.name, "one of the stack's submit_endpoints")

    def _upload(self, attempt: Submission, content: bytes) -> None:
        assert attempt.input_location
        self.inputs.put(parse_location(attempt.input_location), content, attempt.content_type)

    def _invoke(
        self, attempt: Submission, request: dict[str, Any], content: bytes | None
    ) -> Submitted:
        invocation = Invocation(
            inference_id=attempt.inference_id,
            endpoint_name=attempt.endpoint_name,
            body=None if attempt.input_location else content,
            input_location=attempt.input_location,
            content_type=attempt.content_type,
            accept=request.get("accept"),
            custom_attributes=attempt.custom_attributes,
            request_ttl_seconds=request.get("request_ttl_seconds"),
            invocation_timeout_seconds=request.get("invocation_timeout_seconds"),
        )
        try:
            with self._withdrawing(attempt):
                response = self.endpoints.invoke(invocation)
        except InvocationUnconfirmed:
            item = self.attempts.item(attempt.inference_id, attempt.endpoint_name)
            return Submitted(to_api_record(item), created=True)
        made = build_submission(
            attempt.inference_id,
            request
            | {
                "input_location": attempt.input_location,
                "output_location": response.output_location,
                "failure_location": response.failure_location,
                # The attempt has it already. Too many tokens must not fail the registration.
                TASK_TOKEN.name: None,
            },
            submitted_at=response.invoked_at,
            now=self.now(),
            retention=self.retention,
        )
        return Submitted(to_api_record(self._register(as_registration(made))), created=True)

    def _register(self, made: Submission) -> dict[str, Any]:
        for _ in range(_MAX_TRIES - 1):
            with suppress(Unavailable):
                return self.attempts.register(made)
            self.sleep(_DELAY_SECONDS)
        return self.attempts.register(made)

    def _wait_for_invocation(self, attempt: Submission, polls: Iterator[int]) -> dict[str, Any]:
        """Return the item when no caller is invoking any more; empty if it was withdrawn."""
        while True:
            item = self.attempts.item(attempt.inference_id, attempt.endpoint_name)
            if not self._is_invoking(item) or next(polls, None) is None:
                return item
            self.sleep(_DELAY_SECONDS)

    def _keeps_token(self, item: Mapping[str, Any], attempt: Submission) -> bool:
        """Whether the item has the attempt's task token, if any, and will keep it."""
        token = attempt.task_token
        if token is None:
            return True
        # Without the token, the item is new: the one that had it was withdrawn.
        return token in item.get(Attribute.TASK_TOKENS, ()) and not self._is_invoking(
            item, _WITHDRAWING_SECONDS
        )

    def _is_invoking(self, item: Mapping[str, Any], seconds: float = _INVOKING_SECONDS) -> bool:
        """Whether a caller began to invoke within the last `seconds`, without a response yet."""
        submission = item.get(Attribute.SUBMISSION, {})
        since = self.now() - timedelta(seconds=seconds)
        return bool(
            item.get(Attribute.STATUS) == Status.IN_PROGRESS
            and submission.get(SubmissionMember.STAGE) == Stage.INVOKING
            and item[Attribute.SUBMITTED_AT] > timestamp(since)
        )


def _is_prepared(item: Mapping[str, Any], attempt: Submission) -> bool:
    """Whether no caller has claimed the invocation. Raises KeyReused for another request."""
    if item.get(Attribute.REQUEST_DIGEST, attempt.request_digest) != attempt.request_digest:
        raise KeyReused(attempt.inference_id)
    stage = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.STAGE)
    return bool(stage == Stage.PREPARING)


def inference_id_for(endpoint_name: str, idempotency_key: str) -> str:
    """Derive the inference id from an endpoint and a key. It is unique to them."""
    both = json.dumps([endpoint_name, idempotency_key])
    return "key-" + hashlib.sha256(both.encode()).hexdigest()[:40]


def _request_digest(request: Mapping[str, Any], content: bytes | None) -> str:
    """Digest of everything that the model receives, except custom attributes."""
    content_digest = None if content is None else hashlib.sha256(content).hexdigest()
    parts = json.dumps([content_digest, *(request.get(name) for name in _REQUEST)])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]
