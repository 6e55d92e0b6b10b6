"""AWS's own errors, as the client's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.client.errors import (
    InvalidRequest,
    NotAuthorized,
    ServiceUnavailable,
    UnexpectedResponse,
)
from inference_results.client.transports.auth import ACCESS_DENIED_CODES, credentials_error
from inference_results.domain.record.errors import InferenceResultsError, Unavailable

_INVALID: Final = frozenset({"ValidationException", "ValidationError"})
"""SageMaker's word, and CloudFormation's."""


@contextmanager
def translate_aws_errors(service: str) -> Iterator[None]:
    """Raises InvalidRequest, NotAuthorized, ServiceUnavailable or UnexpectedResponse in their place.

    With AWS's message: it names the action that is not allowed, or the parameter.
    """
    try:
        with translate_unavailable(service):
            yield
    except Unavailable as error:
        raise ServiceUnavailable(str(error)) from error
    except ClientError as error:
        raise _refused(error) from error
    except ParamValidationError as error:
        raise InvalidRequest(str(error)) from error
    except BotoCoreError as error:
        raise credentials_error(error) from error


@contextmanager
def translate_storage_errors(*, table: str, bucket: str) -> Iterator[None]:
    """Raises NotAuthorized, InvalidRequest or UnexpectedResponse where DynamoDB or S3 refuses."""
    try:
        yield
    except ClientError as error:
        raise storage_error(error, table=table, bucket=bucket) from error
    except BotoCoreError as error:
        raise credentials_error(error) from error


def storage_error(error: ClientError, *, table: str, bucket: str) -> InferenceResultsError:
    """`table` and `bucket` are the parameters that name them."""
    match error.response["Error"]["Code"]:
        case "NoSuchBucket":
            told: InferenceResultsError = InvalidRequest("there is no such bucket", bucket)
        case "ResourceNotFoundException":
            told = InvalidRequest("there is no such table", table)
        case "ValidationException":
            told = InvalidRequest("expected a table of this service", table)
        case code if code in ACCESS_DENIED_CODES:
            told = access_denied(error.operation_name, code)
        case code:
            told = UnexpectedResponse(f"AWS refuses: {code}")
    told.__cause__ = error
    return told


def access_denied(operation: str, code: str) -> NotAuthorized:
    return NotAuthorized(f"{operation}: not allowed, or the credentials have expired: {code}")


def is_validation_error(error: ClientError) -> bool:
    """What AWS says of a parameter, and also of a name that it does not know."""
    return error.response["Error"]["Code"] in _INVALID


def _refused(error: ClientError) -> InferenceResultsError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    detail = f"{error.operation_name}: {code}: {message}"
    if code in ACCESS_DENIED_CODES:
        return NotAuthorized(detail)
    return InvalidRequest(detail) if is_validation_error(error) else UnexpectedResponse(detail)
