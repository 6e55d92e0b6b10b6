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
from typing import Final

from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.invocation import InvocationDetails, InvocationResponse

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


def build_registration(
    details: InvocationDetails,
    response: InvocationResponse,
    *,
    now: datetime,
    retention: timedelta,
) -> Submission:
    """Build the registration of an invocation that SageMaker accepted."""
    submission = _build(details, submitted_at=response.invoked_at, now=now, retention=retention)
    return as_registration(
        replace(
            submission,
            output_location=response.output_location,
            failure_location=response.failure_location,
        )
    )


def build_attempt(
    details: InvocationDetails,
    *,
    token: str,
    stage: Stage,
    request_digest: str,
    now: datetime,
    retention: timedelta,
) -> Submission:
    """Build an attempt that starts now. `token` is unique to it."""
    return replace(
        _build(details, submitted_at=now, now=now, retention=retention),
        order=f"{_ATTEMPT}\n{token}",
        stage=stage,
        request_digest=request_digest,
    )


def _build(
    details: InvocationDetails, *, submitted_at: datetime, now: datetime, retention: timedelta
) -> Submission:
    deadline = submitted_at + timedelta(seconds=details.max_seconds)
    return Submission(
        inference_id=details.inference_id,
        endpoint_name=details.endpoint_name,
        submitted_at=timestamp(submitted_at),
        deadline=timestamp(deadline),
        recorded_at=timestamp(now),
        expires_at=int((max(now, deadline) + retention).timestamp()),
        input_location=details.input_location,
        content_type=details.content_type,
        custom_attributes=details.custom_attributes,
        caller_metadata=details.caller_metadata,
        task_token=details.task_token,
    )
