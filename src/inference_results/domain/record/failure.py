"""Classify failures by SageMaker's reason, which says `ClientError:` even for a model's 5xx."""

import re

from inference_results.contract import Status
from inference_results.domain.record.result import Failure

MAX_REASON_CHARACTERS = 2048
"""A longer failure reason is cut: a container can respond with a page of HTML."""

_MODEL_ERROR = re.compile(r"Received (client|server) error \((\d{1,3})\)")
_RETRYABLE_4XX = {408, 425, 429}


def classify(status: str, reason: str | None) -> Failure:
    """Derive code, model status and retryable from the status and SageMaker's reason."""
    code, model_status, retryable = _classification(status, reason or "")
    return Failure(
        code=code,
        model_status=model_status,
        retryable=retryable,
        reason=reason[:MAX_REASON_CHARACTERS] if reason else None,
        reason_truncated=True if reason and len(reason) > MAX_REASON_CHARACTERS else None,
    )


def _classification(status: str, reason: str) -> tuple[str, int | None, bool]:
    if status == Status.EXPIRED:
        return "EXPIRED", None, True
    found = _MODEL_ERROR.search(reason)
    if found is None:
        return "UNKNOWN", None, False
    number = int(found[2])
    if number == 0 and found[1] == "server":
        return "MODEL_TIMEOUT", None, True
    if 400 <= number <= 499:
        return "MODEL_ERROR_4XX", number, number in _RETRYABLE_4XX
    if 500 <= number <= 599:
        return "MODEL_ERROR_5XX", number, True
    return "UNKNOWN", number, False
