"""The use case: invoke an endpoint once for each idempotency key, and keep what is known of it.

An attempt is recorded before SageMaker is called, in one of two stages. While it prepares (a large
input is uploaded), all who have the same key do the same; one of them claims the invocation, by a
conditional write. From then on nobody else calls, whatever becomes of that caller: the result, or
the sweep, ends the record. See docs/decisions/0010.
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

_PAUSE_SECONDS: Final = 0.2
_INVOKING_SECONDS: Final = 20
"""By then whoever invokes has an answer, or will have none: its two calls take 19 s at most."""

_WITHDRAWING_SECONDS: Final = 35
"""By then nobody withdraws any more: two tries at that take 15 s, after the two calls."""

_ROUNDS: Final = 3
"""Of a caller that raced with others whose invocations were withdrawn."""

_TRIES: Final = 2
"""At keeping SageMaker's answer, without which the sweep cannot know where the output is, and at
withdrawing: what is left of an attempt is taken for one that may have invoked."""

_REQUEST: Final = (INPUT_LOCATION.name, "content_type", "accept")
"""Members that make it another request, besides the input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What InvokeEndpointAsync is told. Exactly one of `body` and `input_location` is there."""

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
    """What it answers, and when, by the clock of SageMaker."""

    invoked_at: datetime
    output_location: str | None
    failure_location: str | None


class Endpoints(Protocol):
    """SageMaker."""

    @property
    def max_body_bytes(self) -> int:
        """The largest input that a request may hold."""

    def invoke(self, invocation: Invocation) -> InvocationResponse:
        """Called once, never tried again.

        Raises InvocationRejected or Unavailable if nothing was invoked, InvocationUnconfirmed if
        that is not known.
        """


class Inputs(Protocol):
    """Where large inputs are put."""

    def put(self, location: Location, body: bytes, content_type: str | None) -> None:
        """Raises Unavailable."""


class Attempts(Registrations, Protocol):
    """The table, as attempts are written."""

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        """None if the attempt is recorded now, else the item that is there. Raises Unavailable."""

    def claim(self, attempt: Submission) -> bool:
        """Whether the invocation, which is still prepared, is for this attempt to make.

        Raises Unavailable.
        """

    def add_token(self, submission: Submission) -> dict[str, Any]:
        """The item with the task token among its own; empty if there is none to add it to.

        Raises InvalidParameter if it has too many, and Unavailable.
        """

    def withdraw(self, attempt: Submission) -> None:
        """Remove the record of an attempt that invoked nothing; nothing else is removed."""

    def item(self, inference_id: str, endpoint_name: str) -> dict[str, Any]:
        """As it stands, empty if it is gone. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The record, and whether this call made the invocation."""

    record: dict[str, Any]
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitInference:
    """`endpoint_names`: those that may be invoked; None leaves that to AWS.

    `input_prefix`: `s3://bucket/prefix/` for inputs that are too large for the request itself.
    `completes_tasks`: whether somebody answers task tokens.
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

    def __call__(self, members: Mapping[str, Any], body: bytes | None = None) -> Submitted:
        """`members` are those of the form SUBMISSION, with `input_location` or else `body`.

        Raises InvalidParameter, KeyReused, InvocationRejected, or Unavailable: after each of them
        the same call may be repeated.
        """
        given = SUBMISSION.check(members)
        self._check_endpoint(given["endpoint"])
        check_task_token(given, answered=self.completes_tasks)
        pauses = iter(range(int(_INVOKING_SECONDS / _PAUSE_SECONDS)))
        for _ in range(_ROUNDS):
            attempt = self._attempt(given, body)
            if claimed := self._claimed(attempt, given, body):
                return self._invoke(claimed, given, body)
            if attempt.task_token:
                self.attempts.add_token(attempt)
            item = self._awaited(attempt, pauses)
            # Without an item: whoever had the invocation withdrew it, since nothing was invoked.
            if item and self._keeps_token(item, attempt):
                return Submitted(to_api_record(item), created=False)
        raise Unavailable("submission", "Contended")

    def _claimed(
        self, attempt: Submission, given: dict[str, Any], body: bytes | None
    ) -> Submission | None:
        """The attempt that is to invoke; None if that is another's."""
        with self._withdrawing(attempt):
            item = self.attempts.create(attempt)
            if item is not None and not _is_prepared(item, attempt):
                return None
            if attempt.stage is Stage.INVOKING:
                return attempt if item is None else None
            self._upload(attempt, body or b"")
        # Anew, as the time runs from here: uploading may have taken long.
        claiming = replace(self._attempt(given, body), stage=Stage.INVOKING)
        with self._withdrawing(claiming):
            return claiming if self.attempts.claim(claiming) else None

    @contextmanager
    def _withdrawing(self, attempt: Submission) -> Iterator[None]:
        """Of an attempt that invoked nothing, leave no record. The sweep ends what is left."""
        try:
            yield
        except (InvocationRejected, Unavailable):
            for _ in range(_TRIES):
                with suppress(Unavailable):
                    self.attempts.withdraw(attempt)
                    break
                self.sleep(_PAUSE_SECONDS)
            raise

    def _attempt(self, given: dict[str, Any], body: bytes | None) -> Submission:
        inference_id = inference_id_for(given["endpoint"], given["idempotency_key"])
        now = self.now()
        digest = _request_digest(given, body)
        uploaded = self._upload_location(f"{inference_id}/{digest}", given, body)
        attempt = build_submission(
            inference_id,
            given | ({INPUT_LOCATION.name: uploaded} if uploaded else {}),
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
        self, name: str, given: Mapping[str, Any], body: bytes | None
    ) -> str | None:
        """Where the input is to be put; None if it need not be.

        Its digest is in the name: a late write of another input cannot take its place.
        """
        if (body is None) == (INPUT_LOCATION.name not in given):
            raise InvalidParameter(INPUT, "exactly one of a body and an input_location")
        most = self.endpoints.max_body_bytes
        if body is None or 0 < len(body) <= most:
            return None
        if self.input_prefix is None:
            raise InvalidParameter(
                INPUT, f"1 to {most} bytes, or a location: there is no prefix for others"
            )
        return f"{self.input_prefix}{name}"

    def _check_endpoint(self, endpoint_name: str) -> None:
        if self.endpoint_names is not None and endpoint_name not in self.endpoint_names:
            raise InvalidParameter(ENDPOINT.name, "one that this service may invoke")

    def _upload(self, attempt: Submission, body: bytes) -> None:
        assert attempt.input_location
        self.inputs.put(parse_location(attempt.input_location), body, attempt.content_type)

    def _invoke(self, attempt: Submission, given: dict[str, Any], body: bytes | None) -> Submitted:
        invocation = Invocation(
            inference_id=attempt.inference_id,
            endpoint_name=attempt.endpoint_name,
            body=None if attempt.input_location else body,
            input_location=attempt.input_location,
            content_type=attempt.content_type,
            accept=given.get("accept"),
            custom_attributes=attempt.custom_attributes,
            request_ttl_seconds=given.get("request_ttl_seconds"),
            invocation_timeout_seconds=given.get("invocation_timeout_seconds"),
        )
        try:
            with self._withdrawing(attempt):
                invoked = self.endpoints.invoke(invocation)
        except InvocationUnconfirmed:
            item = self.attempts.item(attempt.inference_id, attempt.endpoint_name)
            return Submitted(to_api_record(item), created=True)
        made = build_submission(
            attempt.inference_id,
            given
            | {
                "input_location": attempt.input_location,
                "output_location": invoked.output_location,
                "failure_location": invoked.failure_location,
                # It is with the attempt, which may no more be refused for it.
                TASK_TOKEN.name: None,
            },
            submitted_at=invoked.invoked_at,
            now=self.now(),
            retention=self.retention,
        )
        return Submitted(to_api_record(self._registered(as_registration(made))), created=True)

    def _registered(self, made: Submission) -> dict[str, Any]:
        for _ in range(_TRIES - 1):
            with suppress(Unavailable):
                return self.attempts.register(made)
            self.sleep(_PAUSE_SECONDS)
        return self.attempts.register(made)

    def _awaited(self, attempt: Submission, pauses: Iterator[int]) -> dict[str, Any]:
        """The item, once another's invocation is made or cannot be any more; empty if withdrawn."""
        while True:
            item = self.attempts.item(attempt.inference_id, attempt.endpoint_name)
            if not self._is_being_invoked(item) or next(pauses, None) is None:
                return item
            self.sleep(_PAUSE_SECONDS)

    def _keeps_token(self, item: Mapping[str, Any], attempt: Submission) -> bool:
        """Whether the token of an attempt, if it has one, is in the item for good."""
        token = attempt.task_token
        if token is None:
            return True
        # Without the token: it went with a former item, and another caller has begun anew.
        return token in item.get(Attribute.TASK_TOKENS, ()) and not self._is_being_invoked(
            item, _WITHDRAWING_SECONDS
        )

    def _is_being_invoked(
        self, item: Mapping[str, Any], seconds: float = _INVOKING_SECONDS
    ) -> bool:
        """Whether an invocation began less than so long ago, and its answer is not known."""
        submission = item.get(Attribute.SUBMISSION, {})
        since = self.now() - timedelta(seconds=seconds)
        return bool(
            item.get(Attribute.STATUS) == Status.IN_PROGRESS
            and submission.get(SubmissionMember.STAGE) == Stage.INVOKING
            and item[Attribute.SUBMITTED_AT] > timestamp(since)
        )


def _is_prepared(item: Mapping[str, Any], attempt: Submission) -> bool:
    """Whether nobody has the invocation yet. Raises KeyReused if it is that of another request."""
    if item.get(Attribute.REQUEST_DIGEST, attempt.request_digest) != attempt.request_digest:
        raise KeyReused(attempt.inference_id)
    stage = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.STAGE)
    return bool(stage == Stage.PREPARING)


def inference_id_for(endpoint_name: str, idempotency_key: str) -> str:
    """A valid InferenceId, the same for the same two texts and for no others."""
    both = json.dumps([endpoint_name, idempotency_key])
    return "key-" + hashlib.sha256(both.encode()).hexdigest()[:40]


def _request_digest(given: Mapping[str, Any], body: bytes | None) -> str:
    """Of what the model is told: the input and its type, and the wanted type of the output."""
    content = None if body is None else hashlib.sha256(body).hexdigest()
    request = json.dumps([content, *(given.get(name) for name in _REQUEST)])
    return hashlib.sha256(request.encode()).hexdigest()[:32]
