"""Timeouts, retries and presigning of AWS clients."""

from typing import Final

from botocore.config import Config

CONNECT_TIMEOUT_SECONDS: Final = 1
READ_TIMEOUT_SECONDS: Final = 2
MAX_BACKOFF_SECONDS: Final = 1
"""botocore waits a random part of this before its first retry."""

PRESIGN_CONFIG: Final = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
"""For S3 clients that presign URLs.

botocore's defaults do not work everywhere: SigV2 (older regions) cannot read KMS-encrypted objects,
and newer regions do not serve the global host.
"""


def client_config(connections: int, attempts: int = 2) -> Config:
    """Configure a client for functions: one call takes at most 7 s, so a batch ends in time.

    That is two attempts of 3 s and the backoff between them.
    """
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
    )
