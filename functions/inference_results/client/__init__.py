"""What downstream services import: ask what became of inferences, wait, and read outputs."""

from inference_results.client.errors import (
    AmbiguousInference,
    InferenceExpired,
    InferenceFailed,
    InferenceLost,
    InvalidRequest,
    NotAuthorized,
    NotFound,
    OutputRemoved,
    OutputTooLarge,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    WaitTimeout,
)
from inference_results.client.inference import (
    Batch,
    DaySummary,
    Inference,
    Latency,
    LatencyBucket,
    Missing,
    Output,
)
from inference_results.domain.errors import InferenceResultsError
from inference_results.domain.inference import Failure, OutputError, Status

__all__ = [
    "AmbiguousInference",
    "Batch",
    "DaySummary",
    "Failure",
    "Inference",
    "InferenceExpired",
    "InferenceFailed",
    "InferenceLost",
    "InferenceResultsError",
    "InvalidRequest",
    "Latency",
    "LatencyBucket",
    "Missing",
    "NotAuthorized",
    "NotFound",
    "Output",
    "OutputError",
    "OutputRemoved",
    "OutputTooLarge",
    "OutputUnavailable",
    "RecordExpired",
    "ServiceUnavailable",
    "Status",
    "WaitTimeout",
]
