"""Translate errors of the domain to client errors."""

from inference_results.client.errors import (
    AmbiguousInference,
    IdempotencyKeyReused,
    InvalidRequest,
    InvocationRejected,
    NoOutput,
    NotFound,
    OutputRemoved,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
)
from inference_results.client.transports.auth import ACCESS_DENIED_CODES
from inference_results.client.transports.aws_errors import access_denied
from inference_results.domain.record import errors
from inference_results.domain.record.errors import InferenceResultsError


def to_client_error(inference_id: str, error: InferenceResultsError) -> InferenceResultsError:
    """Return the error that the HTTP API leads to in the same situation."""
    match error:
        case errors.UnknownInference():
            translated: InferenceResultsError = NotFound(inference_id)
        case errors.RecordExpired():
            translated = RecordExpired(inference_id, error.expired_at)
        case errors.AmbiguousInference():
            translated = AmbiguousInference(inference_id, error.endpoints)
        case errors.InvalidParameter():
            translated = InvalidRequest(f"expected {error.expected}", error.parameter)
        case errors.NoOutput():
            translated = NoOutput(inference_id, error.status)
        case errors.ObjectMissing():
            translated = OutputRemoved(inference_id)
        case errors.OutputUnreadable():
            translated = OutputUnavailable(inference_id, error.code, error.message)
        case errors.KeyReused() | errors.InvocationRejected():
            translated = _submission_error(error)
        case errors.Unavailable():
            translated = ServiceUnavailable(str(error))
        case _:
            return error
    translated.__cause__ = error
    return translated


def _submission_error(
    error: errors.KeyReused | errors.InvocationRejected,
) -> InferenceResultsError:
    match error:
        case errors.KeyReused():
            return IdempotencyKeyReused(error.inference_id)
        case errors.InvocationRejected() if error.code in ACCESS_DENIED_CODES:
            return access_denied("InvokeEndpointAsync", error.code)
    return InvocationRejected(error.code, error.message)
