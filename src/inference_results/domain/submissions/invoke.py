"""Invoke the endpoint, and register SageMaker's response."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from inference_results.domain.record.errors import InvocationUnconfirmed, Unavailable
from inference_results.domain.submissions.attempt import WithdrawAttempt
from inference_results.domain.submissions.invocation import Invocation
from inference_results.domain.submissions.ports import Attempts, Endpoints
from inference_results.domain.submissions.submission import Submission, build_registration
from inference_results.domain.submissions.submission_request import SubmissionRequest
from inference_results.domain.submissions.timings import DELAY_SECONDS, MAX_TRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeEndpoint:
    """Invokes endpoints, each claimed attempt once."""

    attempts: Attempts
    endpoints: Endpoints
    withdraw: WithdrawAttempt
    retention: timedelta
    now: Callable[[], datetime]
    sleep: Callable[[float], None]

    def __call__(self, attempt: Submission, request: SubmissionRequest) -> dict[str, Any]:
        """Return the item as it is afterwards. Raises InvocationRejected or Unavailable."""
        try:
            with self.withdraw.on_error(attempt):
                response = self.endpoints.invoke(_invocation(request))
        except InvocationUnconfirmed:
            return self.attempts.item(attempt.inference_id, attempt.endpoint_name)
        # The attempt has the token already. Too many tokens must not fail the registration.
        details = replace(request.details, task_token=None)
        return self._register(
            build_registration(details, response, now=self.now(), retention=self.retention)
        )

    def _register(self, registration: Submission) -> dict[str, Any]:
        for _ in range(MAX_TRIES - 1):
            with suppress(Unavailable):
                return self.attempts.register(registration)
            self.sleep(DELAY_SECONDS)
        return self.attempts.register(registration)


def _invocation(request: SubmissionRequest) -> Invocation:
    details = request.details
    return Invocation(
        inference_id=details.inference_id,
        endpoint_name=details.endpoint_name,
        body=request.body,
        input_location=details.input_location,
        content_type=details.content_type,
        accept=request.accept,
        custom_attributes=details.custom_attributes,
        request_ttl_seconds=details.request_ttl_seconds,
        invocation_timeout_seconds=details.invocation_timeout_seconds,
    )
