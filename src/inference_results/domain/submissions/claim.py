"""Claim the one invocation of an idempotency key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.record.errors import KeyReused
from inference_results.domain.record.location import parse_location
from inference_results.domain.submissions.attempt import NewAttempt, WithdrawAttempt
from inference_results.domain.submissions.ports import Attempts, Inputs
from inference_results.domain.submissions.submission import Stage, Submission
from inference_results.domain.submissions.submission_request import SubmissionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimInvocation:
    """Claims invocations, after the upload of a large input."""

    attempts: Attempts
    inputs: Inputs
    new_attempt: NewAttempt
    withdraw: WithdrawAttempt

    def __call__(self, attempt: Submission, request: SubmissionRequest) -> Submission | None:
        """Return the attempt that this caller has to invoke; None if another caller invokes.

        Raises KeyReused or Unavailable.
        """
        with self.withdraw.on_error(attempt):
            existing = self.attempts.create(attempt)
            if existing is not None:
                _check_same_request(existing, attempt)
            if request.upload is None:
                return attempt if existing is None else None
            if existing is not None and not _is_prepared(existing):
                return None
            self._upload(request, request.upload)
        # A new attempt, whose time starts now: the upload can take long.
        claiming = self.new_attempt(request, Stage.INVOKING)
        with self.withdraw.on_error(claiming):
            return claiming if self.attempts.claim(claiming) else None

    def _upload(self, request: SubmissionRequest, content: bytes) -> None:
        location, content_type = request.details.input_location, request.details.content_type
        assert location
        self.inputs.put(parse_location(location), content, content_type)


def _check_same_request(item: Mapping[str, Any], attempt: Submission) -> None:
    """Raise KeyReused if the item is of another request. A result alone has no digest."""
    if item.get(Attribute.REQUEST_DIGEST, attempt.request_digest) != attempt.request_digest:
        raise KeyReused(attempt.inference_id)


def _is_prepared(item: Mapping[str, Any]) -> bool:
    """Whether no caller has claimed the invocation."""
    stage = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.STAGE)
    return bool(stage == Stage.PREPARING)
