"""The use case: invoke an endpoint once for each idempotency key, and keep what is known of it.

An attempt is recorded before SageMaker is called, in one of two stages. While it prepares (a large
input is uploaded), another may take over once it was held up for a minute: entering the next stage
needs the order of the attempt, which the other one has replaced. From then on nobody calls again,
whatever becomes of the caller: the result, or the sweep, ends the record. See docs/decisions/0010.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.errors import (
    InvalidParameter,
    InvocationRefused,
    InvocationUnconfirmed,
    KeyReused,
    Unavailable,
)
from inference_results.domain.inference import Status
from inference_results.domain.location import Location, parse_location
from inference_results.domain.lookup import shown
from inference_results.domain.parameters import (
    ENDPOINT,
    INPUT_LOCATION,
    MAX_INLINE_INPUT_BYTES,
    SUBMISSION,
)
from inference_results.domain.registering import Registrations, made_submission
from inference_results.domain.submission import Stage, Submission, attempt_order, registered
from inference_results.domain.timestamp import timestamp

HOLD: Final = timedelta(seconds=60)
"""How long an attempt may prepare before another takes over."""

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
class Invoked:
    """What it answers, and when, by the clock of SageMaker."""

    invoked_at: datetime
    output_location: str | None
    failure_location: str | None


class Endpoints(Protocol):
    """SageMaker."""

    def invoke(self, invocation: Invocation) -> Invoked:
        """Called once, never tried again.

        Raises InvocationRefused or Unavailable if nothing was invoked, InvocationUnconfirmed if
        that is not known.
        """


class Inputs(Protocol):
    """Where large inputs are put."""

    def put(self, location: Location, body: bytes, content_type: str | None) -> None:
        """Raises Unavailable."""


class Attempts(Registrations, Protocol):
    """The table, as attempts are written."""

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        """None if there was no record, else the item that is there. Raises Unavailable."""

    def take_over(self, attempt: Submission, held_up: Mapping[str, Any]) -> bool:
        """Replace the preparing attempt of an item; False if it is not there any more."""

    def begin_invoking(self, attempt: Submission) -> bool:
        """Enter the next stage; False if another took over, or the sweep ended the record."""

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
    """

    attempts: Attempts
    endpoints: Endpoints
    inputs: Inputs
    input_prefix: str | None
    endpoint_names: frozenset[str] | None
    retention: timedelta
    now: Callable[[], datetime]
    new_token: Callable[[], str]

    def __call__(self, members: Mapping[str, Any], body: bytes | None = None) -> Submitted:
        """`members` are those of the form SUBMISSION, with `input_location` or else `body`.

        Raises InvalidParameter, KeyReused, InvocationRefused, or Unavailable: after each of them
        the same call may be repeated.
        """
        given = SUBMISSION.check(members)
        self._check_endpoint(given["endpoint"])
        attempt = self._attempt(given, body)
        item = self.attempts.create(attempt)
        if item is not None:
            if item.get(Attribute.REQUEST_DIGEST, attempt.request_digest) != attempt.request_digest:
                raise KeyReused(attempt.inference_id)
            if not self._is_held_up(item):
                return Submitted(shown(item), created=False)
            if not self.attempts.take_over(attempt, item):
                return self._as_it_stands(attempt)
        if attempt.stage is Stage.PREPARING:
            self._upload(attempt, body or b"")
            if not self.attempts.begin_invoking(attempt):
                return self._as_it_stands(attempt)
        return self._invoke(attempt, given, body)

    def _attempt(self, given: dict[str, Any], body: bytes | None) -> Submission:
        inference_id = inference_id_of(given["endpoint"], given["idempotency_key"])
        now = self.now()
        uploaded = self._upload_location(inference_id, given, body)
        return made_submission(
            inference_id,
            given | ({"input_location": uploaded} if uploaded else {}),
            submitted_at=now,
            now=now,
            retention=self.retention,
            order=attempt_order(self.new_token()),
            stage=Stage.PREPARING if uploaded else Stage.INVOKING,
            held_until=timestamp(now + HOLD),
            request_digest=_request_digest(given, body),
        )

    def _upload_location(
        self, inference_id: str, given: Mapping[str, Any], body: bytes | None
    ) -> str | None:
        """Where the input is to be put; None if it need not be."""
        if (body is None) == (INPUT_LOCATION.name not in given):
            raise InvalidParameter("input", "exactly one of a body and an input_location")
        if body is None or 0 < len(body) <= MAX_INLINE_INPUT_BYTES:
            return None
        if self.input_prefix is None:
            raise InvalidParameter(
                "input", f"1 to {MAX_INLINE_INPUT_BYTES} bytes, as there is no prefix for others"
            )
        return f"{self.input_prefix}{inference_id}"

    def _check_endpoint(self, endpoint_name: str) -> None:
        if self.endpoint_names is not None and endpoint_name not in self.endpoint_names:
            raise InvalidParameter(ENDPOINT.name, "one that this service may invoke")

    def _is_held_up(self, item: Mapping[str, Any]) -> bool:
        """Whether nothing was invoked, and whoever began has had the time to."""
        submission = item.get(Attribute.SUBMISSION, {})
        return bool(
            submission.get(SubmissionMember.STAGE) == Stage.PREPARING
            and item[Attribute.STATUS] in (Status.IN_PROGRESS, Status.LOST)
            and submission[SubmissionMember.HELD_UNTIL] < timestamp(self.now())
        )

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
            invoked = self.endpoints.invoke(invocation)
        except (InvocationRefused, Unavailable):
            # What cannot be withdrawn now is ended by the sweep.
            with suppress(Unavailable):
                self.attempts.withdraw(attempt)
            raise
        except InvocationUnconfirmed:
            return replace(self._as_it_stands(attempt), created=True)
        made = made_submission(
            attempt.inference_id,
            given
            | {
                "input_location": attempt.input_location,
                "output_location": invoked.output_location,
                "failure_location": invoked.failure_location,
            },
            submitted_at=invoked.invoked_at,
            now=self.now(),
            retention=self.retention,
        )
        return Submitted(shown(self.attempts.register(registered(made))), created=True)

    def _as_it_stands(self, attempt: Submission) -> Submitted:
        item = self.attempts.item(attempt.inference_id, attempt.endpoint_name)
        if not item:
            # Withdrawn in the meantime: nothing was invoked, and nothing is recorded.
            raise Unavailable("submission", "Withdrawn")
        return Submitted(shown(item), created=False)


def inference_id_of(endpoint_name: str, idempotency_key: str) -> str:
    """A valid InferenceId, the same for the same two texts and for no others."""
    both = json.dumps([endpoint_name, idempotency_key])
    return "key-" + hashlib.sha256(both.encode()).hexdigest()[:40]


def _request_digest(given: Mapping[str, Any], body: bytes | None) -> str:
    """Of what the model is told: the input and its type, and the wanted type of the output."""
    content = None if body is None else hashlib.sha256(body).hexdigest()
    request = json.dumps([content, *(given.get(name) for name in _REQUEST)])
    return hashlib.sha256(request.encode()).hexdigest()[:32]
