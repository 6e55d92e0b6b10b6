"""Classify AWS errors, and translate those that a retry can help."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnectionError
from urllib3.exceptions import HTTPError

from inference_results.domain.record.errors import Unavailable

CONDITION_FAILED: Final = "ConditionalCheckFailedException"

_TRANSIENT_CODES: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


def is_transient(error: ClientError) -> bool:
    """Whether the same call can succeed later: AWS throttled it or returned a 5xx status."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or _code(error) in _TRANSIENT_CODES


def condition_failed(error: ClientError) -> bool:
    """Whether DynamoDB rejected a write because its condition was not met."""
    return _code(error) == CONDITION_FAILED


@contextmanager
def translate_unavailable(service: str) -> Iterator[None]:
    """Raise Unavailable for throttling, 5xx, timeouts and broken connections.

    Other errors pass through.
    """
    try:
        yield
    except ClientError as error:
        if not is_transient(error):
            raise
        raise Unavailable(service, _code(error)) from error
    # HTTPError: botocore lets urllib3's error pass if the body of an error response is cut short.
    except (HTTPClientError, NoConnectionError, IncompleteReadError, HTTPError) as error:
        raise Unavailable(service, type(error).__name__) from error


def _code(error: ClientError) -> str:
    # SQS puts a namespace before its codes.
    return error.response["Error"]["Code"].rpartition(".")[2]
