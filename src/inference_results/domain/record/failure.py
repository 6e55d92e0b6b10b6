"""What a failure reason says. SageMaker writes `ClientError:` even for the model's own 5xx."""

import re

from inference_results.contract import Status
from inference_results.domain.record.result import Failure

MAX_REASON = 2048
"""Characters of a failure reason that are kept: a container may answer with a page of HTML."""

_MODEL_ERROR = re.compile(r"Received (client|server) error \((\d{1,3})\)")
_RETRYABLE_4XX = {408, 425, 429}


def classify(status: str, reason: str | None) -> Failure:
    """Derive code, model status and retryable from the status and SageMaker's reason."""
    code, model_status, retryable = _verdict(status, reason or "")
    return Failure(
        code=code,
        model_status=model_status,
        retryable=retryable,
        reason=reason[:MAX_REASON] if reason else None,
        reason_truncated=True if reason and len(reason) > MAX_REASON else None,
    )


def _verdict(status: str, reason: str) -> tuple[str, int | None, bool]:
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
