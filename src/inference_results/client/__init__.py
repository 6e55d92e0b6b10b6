"""Python client: submit inferences, get their records, wait for results and read outputs.

Import from this package; its modules can change.
"""

from inference_results.client.async_client import AsyncClient
from inference_results.client.client import Client
from inference_results.client.errors import (
    AmbiguousInference,
    IdempotencyKeyReused,
    InferenceExpired,
    InferenceFailed,
    InferenceLost,
    InvalidRequest,
    InvocationRejected,
    NoOutput,
    NotAuthorized,
    NotFound,
    OutputMalformed,
    OutputRemoved,
    OutputTooLarge,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedResponse,
    WaitTimeout,
)
from inference_results.client.flows.download import Sink
from inference_results.client.records import (
    Batch,
    DaySummary,
    Inference,
    Latency,
    LatencyBucket,
    Missing,
)
from inference_results.contract import Status
from inference_results.domain.record.definition import PromisedLocations
from inference_results.domain.record.errors import InferenceResultsError
from inference_results.domain.record.result import Failure, Output, OutputError

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
    "InvocationRejected",
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
    "PromisedLocations",
    "RecordExpired",
    "ServiceUnavailable",
    "Sink",
    "Status",
    "UnexpectedResponse",
    "WaitTimeout",
]
