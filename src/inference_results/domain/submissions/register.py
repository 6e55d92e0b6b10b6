"""Register an invocation that the caller made itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.order import CLOCK_TOLERANCE
from inference_results.domain.record.parameters import INFERENCE_ID, REGISTRATION, SUBMITTED_AT
from inference_results.domain.record.view import to_api_record
from inference_results.domain.submissions.submission import (
    Submission,
    as_registration,
    build_submission,
    check_task_token,
)

_EARLIEST: Final = datetime(2017, 1, 1, tzinfo=UTC)
"""SageMaker was launched in 2017."""


class Registrations(Protocol):
    """The inferences table."""

    def register(self, submission: Submission) -> dict[str, Any]:
        """Write a registration and return the item, which includes the task token.

        Raises InvalidParameter if the item has too many tokens, or the token comes with an earlier
        invocation; Unavailable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterInvocation:
    """Registers invocations, in any order and any number of times, before or after their results.

    `completes_tasks`: whether the service completes Step Functions tasks.
    """

    registrations: Registrations
    completes_tasks: bool
    retention: timedelta
    now: Callable[[], datetime]

    def __call__(self, inference_id: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Register an invocation and return its record.

        REGISTRATION checks `parameters`. Raises InvalidParameter or Unavailable.
        """
        INFERENCE_ID.check(inference_id)
        request = REGISTRATION.check(parameters)
        check_task_token(request, enabled=self.completes_tasks)
        now = self.now()
        submitted_at = datetime.fromisoformat(request[SUBMITTED_AT.name])
        if not _EARLIEST <= submitted_at <= now + CLOCK_TOLERANCE:
            raise InvalidParameter(SUBMITTED_AT.name, "a past time, in 2017 or later")
        submission = build_submission(
            inference_id, request, submitted_at=submitted_at, now=now, retention=self.retention
        )
        return to_api_record(self.registrations.register(as_registration(submission)))
