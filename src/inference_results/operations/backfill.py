"""Backfill records from S3, in this process and with the caller's permissions."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Final, Self

import boto3
from botocore.config import Config

from inference_results.adapters.aws.config import client_config
from inference_results.adapters.s3_listing import S3Listing
from inference_results.adapters.table.recorded_locations import RecordedLocations
from inference_results.adapters.table.results import ResultStore
from inference_results.client.errors import InvalidRequest
from inference_results.client.transports.aws_errors import translate_storage_errors
from inference_results.client.transports.table import aws_clients
from inference_results.domain.reconciliation.backfill import (
    BackfillScope,
    ExaminedObject,
    FindUnrecordedOutputs,
    RecordOutputs,
)
from inference_results.domain.reconciliation.known_locations import KnownLocations
from inference_results.domain.reconciliation.retry import RetryUnavailable
from inference_results.domain.record.location import Location

CONCURRENT_WRITES: Final = 16

_ENDPOINT_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,63}")

_LONG_TIMEOUTS: Final = Config(connect_timeout=5, read_timeout=30)
"""No function timeout applies here, and S3 lists a bucket full of delete markers slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """How to record the outputs. Raises InvalidRequest if the endpoint name is invalid."""

    endpoint_name: str
    retention: timedelta

    def __post_init__(self) -> None:
        if not _ENDPOINT_NAME.fullmatch(self.endpoint_name):
            raise InvalidRequest("expected 1 to 63 alphanumeric characters and hyphens", "endpoint")


class TableBackfill:
    """Find the outputs in a bucket that no record points to, and record them.

    All methods raise NotAuthorized, InvalidRequest or UnexpectedResponse if AWS rejects a call, and
    Unavailable after a minute of retries. Use it in a `with` block, or close it.
    """

    def __init__(
        self, table_name: str, *, shards: int, session: boto3.Session | None = None
    ) -> None:
        config = client_config(connections=CONCURRENT_WRITES).merge(_LONG_TIMEOUTS)
        dynamodb, s3 = aws_clients(session, config, config)
        self._retry = RetryUnavailable(sleep=time.sleep)
        self._pool = ThreadPoolExecutor(CONCURRENT_WRITES, "inference-results-backfill")
        self._results = ResultStore(dynamodb, table_name, shards)
        self._locations = RecordedLocations(dynamodb, table_name, self._retry)
        self._objects = S3Listing(s3, self._retry)
        self._find = FindUnrecordedOutputs(objects=self._objects)

    def check(self, prefix: Location) -> None:
        """Check that the caller can list the bucket. Call this before you pay for a table scan."""
        with translate_storage_errors(table="table", bucket="prefix"):
            self._objects.check(prefix)

    def recorded_locations(self) -> Iterator[str]:
        """Scan the whole table and yield every location that a record points to."""
        with translate_storage_errors(table="table", bucket="prefix"):
            yield from self._locations

    def examine(
        self, scope: BackfillScope, known: KnownLocations, recording: RecordingOptions | None
    ) -> Iterator[ExaminedObject]:
        """Yield the objects in key order. With `recording`, record the unrecorded ones."""
        examined = self._find(scope, known)
        if recording is not None:
            examined = self._record(recording)(examined)
        with translate_storage_errors(table="table", bucket="prefix"):
            yield from examined

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _record(self, recording: RecordingOptions) -> RecordOutputs:
        return RecordOutputs(
            results=self._results,
            pool=self._pool,
            retry=self._retry,
            endpoint_name=recording.endpoint_name,
            retention=recording.retention,
            now=partial(datetime.now, UTC),
        )
