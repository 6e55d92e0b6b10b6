"""Invoke an endpoint once per idempotency key, and record the submission.

An attempt is recorded before SageMaker is called, in one of two stages:

    large input
         |
         v
     Preparing ---+-- S3 or DynamoDB is unavailable ---> withdrawn
         |        +-- no caller claims it -------------> reconciled (NOT_INVOKED)
         | claim
         v
     Invoking ----+-- SageMaker did not accept it -----> withdrawn
         ^        +-- crash, or no response -----------> reconciled, or ended by its result
         |        |
    other input   +-- response ------------------------> registered

Preparing: all callers with the key upload the input. Then one of them claims the invocation with a
conditional write, even if reconciliation was first. Invoking: no other caller calls SageMaker,
whatever happens to that one. Withdrawn: the record is deleted, and the key can start over.

See docs/decisions/0010-one-key-one-invocation.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.view import to_api_record
from inference_results.domain.submissions.attempt import NewAttempt, WithdrawAttempt
from inference_results.domain.submissions.claim import ClaimInvocation
from inference_results.domain.submissions.invoke import InvokeEndpoint
from inference_results.domain.submissions.ports import Attempts, Endpoints, Inputs
from inference_results.domain.submissions.submission_request import ParseSubmission
from inference_results.domain.submissions.wait import WaitForInvocation, new_polls

_MAX_ROUNDS: Final = 3
"""Another round starts when another caller has withdrawn its attempt."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The record. `created`: this call invoked the endpoint."""

    record: dict[str, Any]
    created: bool


class SubmitInference:
    """Submits inferences."""

    def __init__(
        self,
        *,
        attempts: Attempts,
        endpoints: Endpoints,
        inputs: Inputs,
        input_prefix: str | None,
        endpoint_names: frozenset[str] | None,
        completes_tasks: bool,
        retention: timedelta,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        new_token: Callable[[], str],
    ) -> None:
        """ParseSubmission describes the settings. `sleep` takes seconds."""
        withdraw = WithdrawAttempt(attempts=attempts, sleep=sleep)
        self._attempts = attempts
        self._parse = ParseSubmission(
            endpoint_names=endpoint_names,
            input_prefix=input_prefix,
            max_body_bytes=endpoints.max_body_bytes,
            completes_tasks=completes_tasks,
        )
        self._new_attempt = NewAttempt(retention=retention, now=now, new_token=new_token)
        self._claim = ClaimInvocation(
            attempts=attempts, inputs=inputs, new_attempt=self._new_attempt, withdraw=withdraw
        )
        self._invoke = InvokeEndpoint(
            attempts=attempts,
            endpoints=endpoints,
            withdraw=withdraw,
            retention=retention,
            now=now,
            sleep=sleep,
        )
        self._wait = WaitForInvocation(attempts=attempts, now=now, sleep=sleep)

    def __call__(self, parameters: Mapping[str, Any], content: bytes | None = None) -> Submitted:
        """Submit an inference, or return the record of an earlier request with the same key.

        SUBMISSION checks `parameters`. Pass `content`, the input itself, unless they have an
        `input_location`. Raises InvalidParameter, KeyReused, InvocationRejected or Unavailable. The
        same call is safe to repeat after any of them.
        """
        request = self._parse(parameters, content)
        polls = new_polls()
        for _ in range(_MAX_ROUNDS):
            attempt = self._new_attempt(request, request.first_stage)
            if claimed := self._claim(attempt, request):
                return Submitted(to_api_record(self._invoke(claimed, request)), created=True)
            if attempt.task_token:
                self._attempts.add_token(attempt)
            if item := self._wait(attempt, polls):
                return Submitted(to_api_record(item), created=False)
        raise Unavailable("submission", "Contended")
