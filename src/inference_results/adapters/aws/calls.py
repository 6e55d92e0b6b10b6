"""How this project calls AWS: time limits, and errors translated once."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnectionError
from urllib3.exceptions import HTTPError

from inference_results.domain.record.errors import Unavailable

_PASSING: Final = frozenset(
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


PRESIGN_CONFIG: Final = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
"""For S3 clients that make links, in place of what botocore chooses for those.

SigV2 (in old regions) reads no KMS object, and the host without a region is unknown in new ones.
"""


CONDITION_FAILED: Final = "ConditionalCheckFailedException"

CONNECT_SECONDS: Final = 1
READ_SECONDS: Final = 2
LONGEST_PAUSE_SECONDS: Final = 1
"""Between two attempts; botocore chooses a part of it at random."""


def client_config(connections: int, attempts: int = 2) -> Config:
    """At most 7 s for one call, both attempts and the pause between, so that a batch can end."""
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
    )


def is_transient(error: ClientError) -> bool:
    """Whether AWS throttled the call or failed inside, so that the same call may work later."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or _code(error) in _PASSING


def condition_failed(error: ClientError) -> bool:
    """Whether DynamoDB did not write, since the item is not as the condition wants it."""
    return _code(error) == CONDITION_FAILED


@contextmanager
def translate_unavailable(service: str) -> Iterator[None]:
    """Turn throttling, failures inside AWS and silence into Unavailable; let the rest pass."""
    try:
        yield
    except ClientError as error:
        if not is_transient(error):
            raise
        raise Unavailable(service, _code(error)) from error
    # HTTPError: urllib3's own, which botocore lets through when the body of an error breaks off.
    except (HTTPClientError, NoConnectionError, IncompleteReadError, HTTPError) as error:
        raise Unavailable(service, type(error).__name__) from error


def _code(error: ClientError) -> str:
    """Without the namespace that SQS puts before its codes."""
    return error.response["Error"]["Code"].rpartition(".")[2]
