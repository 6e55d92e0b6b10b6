"""AWS's own errors, as the client's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from inference_results.adapters.aws import unavailability
from inference_results.client.access import REFUSALS, credentials_trouble
from inference_results.client.errors import (
    InvalidRequest,
    NotAuthorized,
    ServiceUnavailable,
    UnexpectedAnswer,
)
from inference_results.domain.errors import InferenceResultsError, Unavailable

_INVALID: Final = frozenset({"ValidationException", "ValidationError"})
"""SageMaker's word, and CloudFormation's."""


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Raises InvalidRequest, NotAuthorized, ServiceUnavailable or UnexpectedAnswer in their place.

    With AWS's message: it names the action that is not allowed, or the parameter.
    """
    try:
        with unavailability(service):
            yield
    except Unavailable as error:
        raise ServiceUnavailable(str(error)) from error
    except ClientError as error:
        raise _refused(error) from error
    except ParamValidationError as error:
        raise InvalidRequest(str(error)) from error
    except BotoCoreError as error:
        raise credentials_trouble(error) from error


@contextmanager
def storage_refusals(*, table: str, bucket: str) -> Iterator[None]:
    """Raises NotAuthorized, InvalidRequest or UnexpectedAnswer where DynamoDB or S3 refuses."""
    try:
        yield
    except ClientError as error:
        raise refused_by_storage(error, table=table, bucket=bucket) from error
    except BotoCoreError as error:
        raise credentials_trouble(error) from error


def refused_by_storage(error: ClientError, *, table: str, bucket: str) -> InferenceResultsError:
    """`table` and `bucket` are the parameters that name them."""
    match error.response["Error"]["Code"]:
        case "NoSuchBucket":
            told: InferenceResultsError = InvalidRequest("there is no such bucket", bucket)
        case "ResourceNotFoundException":
            told = InvalidRequest("there is no such table", table)
        case "ValidationException":
            told = InvalidRequest("expected a table of this service", table)
        case code if code in REFUSALS:
            told = not_allowed(error.operation_name, code)
        case code:
            told = UnexpectedAnswer(f"AWS refuses: {code}")
    told.__cause__ = error
    return told


def not_allowed(operation: str, code: str) -> NotAuthorized:
    return NotAuthorized(f"{operation}: not allowed, or the credentials have expired: {code}")


def says_invalid(error: ClientError) -> bool:
    """What AWS says of a parameter, and also of a name that it does not know."""
    return error.response["Error"]["Code"] in _INVALID


def _refused(error: ClientError) -> InferenceResultsError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    detail = f"{error.operation_name}: {code}: {message}"
    if code in REFUSALS:
        return NotAuthorized(detail)
    return InvalidRequest(detail) if says_invalid(error) else UnexpectedAnswer(detail)
