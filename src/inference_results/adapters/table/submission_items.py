"""Build the attributes that a submission writes."""

from typing import Any, Final

from inference_results.adapters.table.index_keys import IndexKeys
from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.record.definition import Owner, owned_by
from inference_results.domain.submissions.submission import Submission

SUBMISSION_ATTRIBUTES: Final = owned_by(Owner.SUBMISSION)
"""The attributes that a new registration replaces. It keeps `request_digest`, as results do."""


def submission_attributes(submission: Submission, shards: int) -> dict[str, Any]:
    """Build the attributes of an inference in progress, without the key and the task token.

    None for an attribute that the submission does not have.
    """
    index_keys = IndexKeys(
        inference_id=submission.inference_id,
        endpoint_name=submission.endpoint_name,
        shards=shards,
    )
    attributes: dict[str, Any] = {
        Attribute.STATUS: Status.IN_PROGRESS,
        Attribute.SUBMITTED_AT: submission.submitted_at,
        Attribute.DEADLINE: submission.deadline,
        Attribute.RECORDED_AT: submission.recorded_at,
        Attribute.EXPIRES_AT: submission.expires_at,
        Attribute.INPUT_LOCATION: submission.input_location,
        Attribute.CONTENT_TYPE: submission.content_type,
        Attribute.CUSTOM_ATTRIBUTES: submission.custom_attributes,
        Attribute.CALLER_METADATA: submission.caller_metadata,
        Attribute.REQUEST_DIGEST: submission.request_digest,
        Attribute.SUBMISSION: {
            SubmissionMember.ORDER: submission.order,
            SubmissionMember.OUTPUT_LOCATION: submission.output_location,
            SubmissionMember.FAILURE_LOCATION: submission.failure_location,
            SubmissionMember.STAGE: submission.stage,
        },
    }
    return (
        attributes
        | index_keys.by_endpoint(submission.submitted_at)
        | index_keys.by_status(Status.IN_PROGRESS, submission.deadline)
    )
