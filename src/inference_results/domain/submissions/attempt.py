"""Start attempts, and withdraw those that invoked nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from inference_results.domain.record.errors import InvocationRejected, Unavailable
from inference_results.domain.submissions.ports import Attempts
from inference_results.domain.submissions.submission import Stage, Submission, build_attempt
from inference_results.domain.submissions.submission_request import SubmissionRequest
from inference_results.domain.submissions.timings import DELAY_SECONDS, MAX_TRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """Builds attempts. `new_token` returns another token each time."""

    retention: timedelta
    now: Callable[[], datetime]
    new_token: Callable[[], str]

    def __call__(self, request: SubmissionRequest, stage: Stage) -> Submission:
        return build_attempt(
            request.details,
            now=self.now(),
            token=self.new_token(),
            stage=stage,
            request_digest=request.digest,
            retention=self.retention,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawAttempt:
    """Withdraws attempts. If that fails, reconciliation ends their records."""

    attempts: Attempts
    sleep: Callable[[float], None]

    def __call__(self, attempt: Submission) -> None:
        for _ in range(MAX_TRIES):
            with suppress(Unavailable):
                self.attempts.withdraw(attempt)
                return
            self.sleep(DELAY_SECONDS)

    @contextmanager
    def on_error(self, attempt: Submission) -> Iterator[None]:
        """Withdraw the attempt after an error that says that nothing was invoked."""
        try:
            yield
        except (InvocationRejected, Unavailable):
            self(attempt)
            raise
