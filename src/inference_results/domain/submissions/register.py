"""The use case: an invocation was made; keep what its submitter knows of it."""

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
"""SageMaker is not older."""


class Registrations(Protocol):
    """The table, as registrations are written."""

    def register(self, submission: Submission) -> dict[str, Any]:
        """The item as it stands afterwards, with the task token among its own.

        Raises InvalidParameter if it has too many, or is that of a later invocation; Unavailable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterInvocation:
    """May come before or after the result, in any order, any number of times.

    `completes_tasks`: whether somebody answers task tokens.
    """

    registrations: Registrations
    completes_tasks: bool
    retention: timedelta
    now: Callable[[], datetime]

    def __call__(self, inference_id: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """The record as it stands afterwards; `members` are those of the form REGISTRATION.

        Raises InvalidParameter or Unavailable.
        """
        INFERENCE_ID.check(inference_id)
        given = REGISTRATION.check(members)
        check_task_token(given, answered=self.completes_tasks)
        now = self.now()
        submitted_at = datetime.fromisoformat(given[SUBMITTED_AT.name])
        if not _EARLIEST <= submitted_at <= now + CLOCK_TOLERANCE:
            raise InvalidParameter(SUBMITTED_AT.name, "a time that has passed, since 2017")
        submission = build_submission(
            inference_id, given, submitted_at=submitted_at, now=now, retention=self.retention
        )
        return to_api_record(self.registrations.register(as_registration(submission)))
