"""What others import: submit inferences, ask what became of them, wait, and read outputs."""

from inference_results.client.async_client import AsyncClient
from inference_results.client.client import Client
from inference_results.client.download import Sink
from inference_results.client.errors import (
    AmbiguousInference,
    IdempotencyKeyReused,
    InferenceExpired,
    InferenceFailed,
    InferenceLost,
    InvalidRequest,
    InvocationRefused,
    NoOutput,
    NotAuthorized,
    NotFound,
    OutputMalformed,
    OutputRemoved,
    OutputTooLarge,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedAnswer,
    WaitTimeout,
)
from inference_results.client.inference import (
    Batch,
    DaySummary,
    Inference,
    Latency,
    LatencyBucket,
    Missing,
    Promised,
)
from inference_results.domain.errors import InferenceResultsError
from inference_results.domain.inference import Failure, Output, OutputError, Status

__all__ = [
    "AmbiguousInference",
    "AsyncClient",
    "Batch",
    "Client",
    "DaySummary",
    "Failure",
    "IdempotencyKeyReused",
    "Inference",
    "InferenceExpired",
    "InferenceFailed",
    "InferenceLost",
    "InferenceResultsError",
    "InvalidRequest",
    "InvocationRefused",
    "Latency",
    "LatencyBucket",
    "Missing",
    "NoOutput",
    "NotAuthorized",
    "NotFound",
    "Output",
    "OutputError",
    "OutputMalformed",
    "OutputRemoved",
    "OutputTooLarge",
    "OutputUnavailable",
    "Promised",
    "RecordExpired",
    "ServiceUnavailable",
    "Sink",
    "Status",
    "UnexpectedAnswer",
    "WaitTimeout",
]
