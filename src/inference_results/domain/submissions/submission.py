"""Submissions: what the submitter knows about an invocation, before and after it was made.

Registrations of an inference are a last-writer-wins register, separate from that of its results.
They are ordered by the time of the invocation, its output location and a digest of the rest. So
registrations and results in any order, with any duplicates, produce the same record.

See docs/decisions/0011-registrations-beside-results.md.
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
"""Prefix of the order of attempts. It sorts below registrations, which start with a digit."""


class Stage(StrEnum):
    """The progress of an attempt."""

    PREPARING = "Preparing"
    """SageMaker was not called. The caller that claims the invocation calls it."""
    INVOKING = "Invoking"
    """SageMaker may have been called, so no other caller calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One invocation. Times are timestamps.

    `deadline` is when SageMaker gives up at the latest. Only an attempt has a `stage` and a
    `request_digest`: SageMaker's response is not known yet.
    """

    inference_id: str
    endpoint_name: str
    submitted_at: str
    deadline: str
    recorded_at: str
    expires_at: int
    """Epoch seconds, for DynamoDB's TTL: the retention after the deadline."""
    order: str = ""
    output_location: str | None = None
    failure_location: str | None = None
    input_location: str | None = None
    content_type: str | None = None
    custom_attributes: str | None = field(default=None, repr=False)
    caller_metadata: Mapping[str, str] | None = field(default=None, repr=False)
    task_token: str | None = field(default=None, repr=False)
    """Each caller has its own token, so neither the order nor the request digest includes it."""
    stage: Stage | None = None
    request_digest: str | None = None


def build_submission(
    inference_id: str,
    request: Mapping[str, Any],
    *,
    submitted_at: datetime,
    now: datetime,
    retention: timedelta,
) -> Submission:
    """Build a submission from a checked request. It has no order yet."""
    limits = (REQUEST_TTL_SECONDS, INVOCATION_TIMEOUT_SECONDS)
    deadline = submitted_at + timedelta(
        seconds=sum(request.get(limit.name, limit.default) for limit in limits)
    )
    return Submission(
        inference_id=inference_id,
        endpoint_name=request["endpoint"],
        submitted_at=timestamp(submitted_at),
        deadline=timestamp(deadline),
        recorded_at=timestamp(now),
        expires_at=int((max(now, deadline) + retention).timestamp()),
        output_location=request.get("output_location"),
        failure_location=request.get("failure_location"),
        input_location=request.get("input_location"),
        content_type=request.get("content_type"),
        custom_attributes=request.get("custom_attributes"),
        caller_metadata=request.get("metadata"),
        task_token=request.get("task_token"),
    )


def as_registration(made: Submission) -> Submission:
    """Return a submission that was made, with the order of a registration."""
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


def check_task_token(request: Mapping[str, Any], *, enabled: bool) -> None:
    """Raise InvalidParameter for a token of a task that the service would never complete."""
    if TASK_TOKEN.name in request and not enabled:
        raise InvalidParameter(
            TASK_TOKEN.name, "no task token: the stack has no state_machine_arns"
        )


def attempt_order(token: str) -> str:
    """The order of an attempt. `token` is unique to it."""
    return f"{_ATTEMPT}\n{token}"
