"""Wait for the response of the caller that invokes, so that nobody sees a withdrawn attempt."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.ports import Attempts
from inference_results.domain.submissions.submission import Stage, Submission
from inference_results.domain.submissions.timings import (
    DELAY_SECONDS,
    INVOKING_SECONDS,
    WITHDRAWING_SECONDS,
)


def new_polls() -> Iterator[int]:
    """The polls of one submission, in all of its rounds."""
    return iter(range(int(INVOKING_SECONDS / DELAY_SECONDS)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForInvocation:
    """Waits while another caller invokes."""

    attempts: Attempts
    now: Callable[[], datetime]
    sleep: Callable[[float], None]

    def __call__(self, attempt: Submission, polls: Iterator[int]) -> dict[str, Any]:
        """Return the item when no caller is invoking any more, or when `polls` are used up.

        Empty if the invoking caller withdrew its attempt: nothing was invoked. Raises Unavailable.
        """
        while True:
            item = self.attempts.item(attempt.inference_id, attempt.endpoint_name)
            if not self._is_invoking(item, INVOKING_SECONDS) or next(polls, None) is None:
                return item if self._keeps_token(item, attempt) else {}
            self.sleep(DELAY_SECONDS)

    def _keeps_token(self, item: Mapping[str, Any], attempt: Submission) -> bool:
        """Whether the item has the attempt's task token, if any, and will keep it."""
        token = attempt.task_token
        if token is None:
            return True
        # Without the token, the item is new: the one that had it was withdrawn.
        return token in item.get(Attribute.TASK_TOKENS, ()) and not self._is_invoking(
            item, WITHDRAWING_SECONDS
        )

    def _is_invoking(self, item: Mapping[str, Any], seconds: float) -> bool:
        """Whether a caller began to invoke within the last `seconds`, without a response yet."""
        submission = item.get(Attribute.SUBMISSION, {})
        since = self.now() - timedelta(seconds=seconds)
        return bool(
            item.get(Attribute.STATUS) == Status.IN_PROGRESS
            and submission.get(SubmissionMember.STAGE) == Stage.INVOKING
            and item[Attribute.SUBMITTED_AT] > timestamp(since)
        )
