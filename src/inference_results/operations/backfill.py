"""The backfill on the table itself, in process, with the rights of whoever runs it."""

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

from inference_results.adapters.aws.calls import client_config
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

WRITES_SIDE_BY_SIDE: Final = 16

_ENDPOINT_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,63}")

_UNHURRIED: Final = Config(connect_timeout=5, read_timeout=30)
"""No function ends meanwhile, and a page of a bucket full of delete markers takes its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """As what the outputs are recorded. Raises InvalidRequest for what no endpoint is named."""

    endpoint_name: str
    retention: timedelta

    def __post_init__(self) -> None:
        if not _ENDPOINT_NAME.fullmatch(self.endpoint_name):
            raise InvalidRequest("expected 1 to 63 letters, digits and hyphens", "endpoint")


class TableBackfill:
    """Reads the table, lists a bucket, and writes to the table.

    Everything raises NotAuthorized, InvalidRequest or UnexpectedResponse where AWS refuses, and
    Unavailable where it is so for a minute. Close it, or use it in a `with` statement.
    """

    def __init__(
        self, table_name: str, *, shards: int, session: boto3.Session | None = None
    ) -> None:
        config = client_config(connections=WRITES_SIDE_BY_SIDE).merge(_UNHURRIED)
        dynamodb, s3 = aws_clients(session, config, config)
        self._patience = RetryUnavailable(sleep=time.sleep)
        self._pool = ThreadPoolExecutor(WRITES_SIDE_BY_SIDE, "inference-results-backfill")
        self._outcomes = ResultStore(dynamodb, table_name, shards)
        self._locations = RecordedLocations(dynamodb, table_name, self._patience)
        self._objects = S3Listing(s3, self._patience)
        self._find = FindUnrecordedOutputs(objects=self._objects)

    def check(self, prefix: Location) -> None:
        """Whether the bucket may be listed: a scan for nothing would cost more than this."""
        with translate_storage_errors(table="table", bucket="prefix"):
            self._objects.check(prefix)

    def recorded_locations(self) -> Iterator[str]:
        """Every location that a record points to: a scan of the whole table."""
        with translate_storage_errors(table="table", bucket="prefix"):
            yield from self._locations

    def examined(
        self, extent: BackfillScope, known: KnownLocations, recording: RecordingOptions | None
    ) -> Iterator[ExaminedObject]:
        """The objects in the order of their keys; without a `recording` nothing is written."""
        found = self._find(extent, known)
        if recording is not None:
            found = self._record(recording)(found)
        with translate_storage_errors(table="table", bucket="prefix"):
            yield from found

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
            outcomes=self._outcomes,
            pool=self._pool,
            patience=self._patience,
            endpoint_name=recording.endpoint_name,
            retention=recording.retention,
            now=partial(datetime.now, UTC),
        )
