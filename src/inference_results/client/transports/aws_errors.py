"""Translate AWS's errors to client errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.client.errors import (
    InvalidRequest,
    NotAuthorized,
    ServiceUnavailable,
    UnexpectedResponse,
)
from inference_results.client.transports.auth import ACCESS_DENIED_CODES, credentials_error
from inference_results.domain.record.errors import InferenceResultsError, Unavailable

_VALIDATION_CODES: Final = frozenset({"ValidationException", "ValidationError"})
"""Error codes of SageMaker and CloudFormation."""


@contextmanager
def translate_aws_errors(service: str) -> Iterator[None]:
    """Raise InvalidRequest, NotAuthorized, ServiceUnavailable or UnexpectedResponse instead.

    Keeps AWS's message, which names the denied action or the invalid parameter.
    """
    try:
        with translate_unavailable(service):
            yield
    except Unavailable as error:
        raise ServiceUnavailable(str(error)) from error
    except ClientError as error:
        raise _service_error(error) from error
    except ParamValidationError as error:
        raise InvalidRequest(str(error)) from error
    except BotoCoreError as error:
        raise credentials_error(error) from error


@contextmanager
def translate_storage_errors(*, table: str, bucket: str) -> Iterator[None]:
    """Raise NotAuthorized, InvalidRequest or UnexpectedResponse for errors of DynamoDB and S3.

    `table` and `bucket` are the names of the caller's parameters for them.
    """
    try:
        yield
    except ClientError as error:
        raise storage_error(error, table=table, bucket=bucket) from error
    except BotoCoreError as error:
        raise credentials_error(error) from error


def storage_error(error: ClientError, *, table: str, bucket: str) -> InferenceResultsError:
    """Return the client error for an error of DynamoDB or S3.

    `table` and `bucket` are the names of the caller's parameters for them.
    """
    translated: InferenceResultsError
    match error.response["Error"]["Code"]:
        case "NoSuchBucket":
            translated = InvalidRequest("no bucket with this name exists", bucket)
        case "ResourceNotFoundException":
            translated = InvalidRequest("no table with this name in this account and region", table)
        case "ValidationException":
            translated = InvalidRequest("expected a table of this service: check the name", table)
        case code if code in ACCESS_DENIED_CODES:
            translated = access_denied(error.operation_name, code)
        case code:
            translated = UnexpectedResponse(f"{error.operation_name}: {code}")
    translated.__cause__ = error
    return translated


def access_denied(operation: str, code: str) -> NotAuthorized:
    return NotAuthorized(f"{operation}: access denied, or the credentials have expired: {code}")


def is_validation_error(error: ClientError) -> bool:
    """Return True for an invalid parameter, which includes the name of a missing resource."""
    return error.response["Error"]["Code"] in _VALIDATION_CODES


def _service_error(error: ClientError) -> InferenceResultsError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    detail = f"{error.operation_name}: {code}: {message}"
    if code in ACCESS_DENIED_CODES:
        return NotAuthorized(detail)
    return InvalidRequest(detail) if is_validation_error(error) else UnexpectedResponse(detail)
