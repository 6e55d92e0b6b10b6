"""The attributes of the inferences table that a write names: keys, owned attributes and paths."""

from dataclasses import fields
from typing import Any, Final

from inference_results.adapters.table.index_keys import INDEX_KEYS
from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.record.result import Result

KEY: Final = (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME)
RESULT_ATTRIBUTES: Final = (
    *(Attribute(field.name) for field in fields(Result) if field.name not in KEY),
    *INDEX_KEYS,
)
"""The attributes that a result owns. A new result writes or removes each of them."""

SUBMISSION_ORDER: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.ORDER}"
SUBMISSION_STAGE: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.STAGE}"
PROMISED_OUTPUT: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.OUTPUT_LOCATION}"
PROMISED_FAILURE: Final = f"{Attribute.SUBMISSION}.{SubmissionMember.FAILURE_LOCATION}"


def record_key(inference_id: str, endpoint_name: str) -> dict[str, Any]:
    """Build the primary key of a record."""
    return {Attribute.INFERENCE_ID: inference_id, Attribute.ENDPOINT_NAME: endpoint_name}
