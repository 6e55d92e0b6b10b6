"""What a submitter knows of an invocation, before and after it was made.

Registrations of one inference are a last-writer-wins register of their own, beside that of its
results: the order is the time of the invocation, then its output location, then the rest. So any
order and any duplication of registrations and results leaves the same record.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.parameters import (
    INVOCATION_TIMEOUT_SECONDS,
    REQUEST_TTL_SECONDS,
    TASK_TOKEN,
)
from inference_results.domain.record.timestamps import timestamp

_ATTEMPT: Final = "-"
"""Begins the order of an attempt: below every registration's, which begins with a digit."""


class Stage(StrEnum):
    """How far an attempt to submit has come."""

    PREPARING = "Preparing"
    """SageMaker has not been called: whoever claims the invocation calls it."""
    INVOKING = "Invoking"
    """SageMaker may have been called. Nobody can tell, so nobody else calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One invocation as its submitter knows it. Timestamps are in stored form.

    `deadline` is when SageMaker has given it up at the latest. `stage` and `request_digest` are
    those of an attempt, whose invocation is still to be made or confirmed.
    """

    inference_id: str
    endpoint_name: str
    submitted_at: str
    deadline: str
    recorded_at: str
    expires_at: int
    """Seconds since 1970, as DynamoDB's TTL wants it: the retention after the deadline."""
    order: str = ""
    output_location: str | None = None
    failure_location: str | None = None
    input_location: str | None = None
    content_type: str | None = None
    custom_attributes: str | None = field(default=None, repr=False)
    caller_metadata: Mapping[str, str] | None = field(default=None, repr=False)
    task_token: str | None = field(default=None, repr=False)
    """Belongs to whoever asks, and so neither to the order nor to the digest of the request."""
    stage: Stage | None = None
    request_digest: str | None = None


def build_submission(
    inference_id: str,
    given: Mapping[str, Any],
    *,
    submitted_at: datetime,
    now: datetime,
    retention: timedelta,
) -> Submission:
    """A submission from checked members of a form, without an order."""
    limits = (REQUEST_TTL_SECONDS, INVOCATION_TIMEOUT_SECONDS)
    deadline = submitted_at + timedelta(
        seconds=sum(given.get(limit.name, limit.default) for limit in limits)
    )
    return Submission(
        inference_id=inference_id,
        endpoint_name=given["endpoint"],
        submitted_at=timestamp(submitted_at),
        deadline=timestamp(deadline),
        recorded_at=timestamp(now),
        expires_at=int((max(now, deadline) + retention).timestamp()),
        output_location=given.get("output_location"),
        failure_location=given.get("failure_location"),
        input_location=given.get("input_location"),
        content_type=given.get("content_type"),
        custom_attributes=given.get("custom_attributes"),
        caller_metadata=given.get("metadata"),
        task_token=given.get("task_token"),
    )


def as_registration(made: Submission) -> Submission:
    """With the order of a registration: of an invocation that was made."""
    content = json.dumps(
        [
            made.deadline,
            made.failure_location,
            made.input_location,
            made.content_type,
            made.custom_attributes,
            dict(made.caller_metadata or {}),
        ],
        sort_keys=True,
    )
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    return replace(made, order="\n".join((made.submitted_at, made.output_location or "", digest)))


def check_task_token(given: Mapping[str, Any], *, answered: bool) -> None:
    """Raises InvalidParameter for a token that nobody would answer: its task would wait."""
    if TASK_TOKEN.name in given and not answered:
        raise InvalidParameter(TASK_TOKEN.name, "none, since this service answers no state machine")


def attempt_order(token: str) -> str:
    """The order of an attempt; `token` tells it from every other."""
    return f"{_ATTEMPT}\n{token}"
