"""Items of one inference, before and after a change."""

from inference_results.domain.record.order import event_order, unnotified_order
from inference_results.domain.submissions.submission import Submission, as_registration

NOON = "2026-01-25T12:00:00.000Z"
LATER = "2026-01-25T13:00:00.000Z"
OUTPUT = "s3://customer-outputs/async/one.out"
OTHER = "s3://customer-outputs/async/two.out"
BASE = {
    "inference_id": "inference-1",
    "endpoint_name": "here",
    "recorded_at": NOON,
    "expires_at": 1_790_000_000,
}


def result(status="Completed", event_time=NOON, location=OUTPUT, digest="d", **more):
    order = event_order(event_time=event_time, status=status, location=location, digest=digest)
    output = {"output": {"location": location}} if status == "Completed" else {}
    return {
        **BASE,
        "status": status,
        "event_time": event_time,
        "event_order": order,
        **output,
        **more,
    }


def found(status="Completed", source="reconciliation", location=OUTPUT, **more):
    """A result that reconciliation or backfill found."""
    order = unnotified_order(event_time=NOON, status=status, location=location)
    return result(status, location=location, **more) | {"source": source, "event_order": order}


def failure(location=None):
    member = {"location": location} if location else {}
    return {"code": "MODEL_ERROR_5XX", "retryable": True, **member}


def submitted(submitted_at=NOON, location=OUTPUT, **more):
    made = as_registration(
        Submission(
            inference_id="inference-1",
            endpoint_name="here",
            submitted_at=submitted_at,
            deadline=LATER,
            recorded_at=NOON,
            expires_at=1_790_000_000,
            output_location=location,
            caller_metadata=more.get("caller_metadata"),
        )
    )
    return {
        **BASE,
        "status": "InProgress",
        "submitted_at": submitted_at,
        "deadline": LATER,
        "submission": {"order": made.order, "output_location": location},
        **more,
    }


def attempt(stage="Invoking"):
    return submitted() | {"submission": {"order": "-\ntoken", "stage": stage}}
