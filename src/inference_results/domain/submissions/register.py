"""Register an invocation that the caller made itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.order import CLOCK_TOLERANCE
from inference_results.domain.record.parameters import (
    FAILURE_LOCATION,
    INFERENCE_ID,
    OUTPUT_LOCATION,
    REGISTRATION,
    SUBMITTED_AT,
)
from inference_results.domain.record.view import to_api_record
from inference_results.domain.submissions.invocation import InvocationDetails, InvocationResponse
from inference_results.domain.submissions.ports import Registrations
from inference_results.domain.submissions.submission import build_registration

_EARLIEST: Final = datetime(2017, 1, 1, tzinfo=UTC)
"""SageMaker was launched in 2017."""


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
        checked = REGISTRATION.check(parameters)
        details = InvocationDetails.from_parameters(inference_id, checked)
        details.check_task_token(completes_tasks=self.completes_tasks)
        now = self.now()
        response = _parse_response(checked, now)
        registration = build_registration(details, response, now=now, retention=self.retention)
        return to_api_record(self.registrations.register(registration))


def _parse_response(checked: Mapping[str, Any], now: datetime) -> InvocationResponse:
    """The response that SageMaker gave to the caller. Raises InvalidParameter."""
    invoked_at = datetime.fromisoformat(checked[SUBMITTED_AT.name])
    if not _EARLIEST <= invoked_at <= now + CLOCK_TOLERANCE:
        raise InvalidParameter(SUBMITTED_AT.name, "a past time, in 2017 or later")
    return InvocationResponse(
        invoked_at=invoked_at,
        output_location=checked[OUTPUT_LOCATION.name],
        failure_location=checked.get(FAILURE_LOCATION.name),
    )
