"""The client for an event loop: the methods of Client, to be awaited."""

import ssl
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import boto3
import httpx

from inference_results.client.flows import outputs, queries, submissions, waits
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.download import Progress as BytesProgress
from inference_results.client.flows.download import Sink
from inference_results.client.flows.requests import GetSummary, ListRecords
from inference_results.client.records import Batch, DaySummary, Inference
from inference_results.client.transports.async_driver import Driver, HttpBackend, ThreadedBackend
from inference_results.client.transports.auth import CONNECTIONS, authentication, tls_context
from inference_results.client.transports.http_api import Api
from inference_results.contract import DEFAULT_RETENTION_DAYS

Days: TypeAlias = list[DaySummary]
"""Outside of the class, in which `list` is a method."""

_TABLE_SECONDS: Final = 2.0
"""The longest pause of a wait between two looks into the table; a blocking one takes the same."""


class AsyncClient:
    """Client for asyncio: the same constructors, methods and errors.

    What Client returns is awaited here, and what it iterates over is iterated over with `async
    for`. `progress` is called in the event loop, the callable behind `token` in a thread.

    There is no `from_predictor_response`: the SageMaker SDK blocks. Use Client in a thread.
    """

    def __init__(
        self,
        api_url: str,
        *,
        session: boto3.Session | None = None,
        token: str | Callable[[], str] | None = None,
        region: str | None = None,
        verify: ssl.SSLContext | str | Path | None = None,
    ) -> None:
        """Over the HTTP API at `api_url`.

        Signs with the credentials of `session` (default: those that boto3 finds), in `region`
        (default: that of the URL, then of the session), unless there is a `token`: a JWT, or what
        returns one, and is asked anew when the API refuses it. `verify`: an SSL context, or a file
        or folder of certificates (default: AWS_CA_BUNDLE, SSL_CERT_FILE, httpx's own).
        """
        api = Api.at(api_url)
        auth = authentication(api.url, session, token, region)
        trusted = tls_context(verify)
        backend = HttpBackend(api, httpx.AsyncClient(auth=auth, verify=trusted, limits=CONNECTIONS))
        self._driver = Driver(backend, httpx.AsyncClient(verify=trusted, limits=CONNECTIONS))

    @classmethod
    def on_table(
        cls,
        table_name: str,
        *,
        shards: int,
        summaries_table_name: str | None = None,
        input_prefix: str | None = None,
        retention_days: int = DEFAULT_RETENTION_DAYS,
        session: boto3.Session | None = None,
    ) -> Self:
        """Over the table itself, with the rights of `session`.

        These are `dynamodb:Query` on the table, its indexes and the summaries' table,
        `dynamodb:BatchGetItem` on the table, and to read outputs `s3:GetObject` and
        `s3:GetObjectVersion` on them. `shards` is the stack's output.

        `register` needs `dynamodb:UpdateItem` on the table; `submit` that, `dynamodb:GetItem`,
        `dynamodb:DeleteItem`, `sagemaker:InvokeEndpointAsync` on the endpoints, and for inputs of
        more than 128,000 bytes `s3:PutObject` below `input_prefix` (`s3://bucket/prefix/`), where
        it puts them. `retention_days`: how long records stay after their deadline, as deployed.
        """
        # Not at the top: most ask the API, and do not need what this loads.
        from inference_results.client.transports.table import TableBackend

        backend = TableBackend(
            table_name,
            shards=shards,
            summaries_table_name=summaries_table_name,
            input_prefix=input_prefix,
            retention_days=retention_days,
            session=session,
        )
        storage = httpx.AsyncClient(verify=tls_context(None), limits=CONNECTIONS)
        pace = Backoff(longest_wait=_TABLE_SECONDS)
        return cls.driven_by(Driver(ThreadedBackend(backend), storage, pace=pace))

    @classmethod
    def driven_by(cls, driver: Driver) -> Self:
        """A client with a driver of its own: another backend, clock or transport."""
        client = cls.__new__(cls)
        client._driver = driver
        return client

    async def submit(
        self,
        endpoint: str,
        body_or_location: bytes | bytearray | memoryview | str,
        *,
        idempotency_key: str,
        metadata: Mapping[str, str] | None = None,
        task_token: str | None = None,
        content_type: str | None = None,
        accept: str | None = None,
        custom_attributes: str | None = None,
        request_ttl_seconds: int | None = None,
        invocation_timeout_seconds: int | None = None,
    ) -> Inference:
        """Invoke an endpoint once for the key, however often this is called; the record of it.

        Bytes are the input itself, a text is its location (`s3://bucket/key`). The same call again
        returns the record as it stands, and so may follow any error. `metadata` is kept with the
        record. `task_token`: of a state machine's task, which is answered when the inference has
        ended. Raises IdempotencyKeyReused or InvocationRejected.
        """
        submission = submissions.submission(
            endpoint,
            body_or_location,
            idempotency_key=idempotency_key,
            metadata=metadata,
            task_token=task_token,
            content_type=content_type,
            accept=accept,
            custom_attributes=custom_attributes,
            request_ttl_seconds=request_ttl_seconds,
            invocation_timeout_seconds=invocation_timeout_seconds,
        )
        return await self._driver.result(submissions.record_of(submission, self._driver.pace))

    async def register(
        self,
        response: Mapping[str, Any],
        *,
        endpoint: str,
        metadata: Mapping[str, str] | None = None,
        task_token: str | None = None,
        submitted_at: datetime | str | None = None,
        input_location: str | None = None,
        content_type: str | None = None,
        custom_attributes: str | None = None,
        request_ttl_seconds: int | None = None,
        invocation_timeout_seconds: int | None = None,
    ) -> Inference:
        """Keep that an invocation was made, before or after its result; the record of it.

        `response` is what invoke_endpoint_async returned; the others are what it was told.
        `submitted_at` is by default the date in the response, by SageMaker's own clock; a datetime
        needs an offset. `task_token`: of a state machine's task, which is answered when the
        inference has ended. May be called any number of times.
        """
        registration = submissions.registration(
            response,
            endpoint=endpoint,
            metadata=metadata,
            task_token=task_token,
            submitted_at=submitted_at,
            input_location=input_location,
            content_type=content_type,
            custom_attributes=custom_attributes,
            request_ttl_seconds=request_ttl_seconds,
            invocation_timeout_seconds=invocation_timeout_seconds,
        )
        return await self._driver.result(submissions.record_of(registration, self._driver.pace))

    async def get(self, inference_id: str, *, endpoint: str | None = None) -> Inference:
        """The record. Raises NotFound, RecordExpired or AmbiguousInference."""
        return await self._driver.result(queries.get(inference_id, endpoint, self._driver.pace))

    async def batch_get(self, ids: Iterable[str], *, endpoint: str | None = None) -> Batch:
        """The records of any number of ids, and why some have none."""
        return await self._driver.result(queries.batch_get(ids, endpoint, self._driver.pace))

    def list(
        self,
        *,
        endpoint: str | None = None,
        status: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        page_size: int = 50,
    ) -> AsyncGenerator[Inference, None]:
        """The records of an endpoint or a status, newest first; `since` <= time < `until`.

        Without an endpoint a status is needed, other than Completed. The records are not whole:
        there is no output in them.
        """
        page = ListRecords(
            endpoint=endpoint,
            status=status,
            since=queries.to_timestamp(since, "since"),
            until=queries.to_timestamp(until, "until"),
            limit=page_size,
        )
        return self._driver.each(queries.list_records(page, self._driver.pace))

    async def wait(
        self, inference_id: str, timeout: float, *, endpoint: str | None = None
    ) -> Inference:
        """The record once it has ended, whatever the outcome. `timeout` is in seconds.

        An unknown id is waited for. Raises WaitTimeout, RecordExpired or AmbiguousInference.
        """
        wait = waits.wait(inference_id, timeout, endpoint, self._driver.pace)
        return await self._driver.result(wait.only())

    async def wait_all(
        self,
        ids: Iterable[str],
        timeout: float,
        *,
        endpoint: str | None = None,
        progress: waits.Progress | None = None,
    ) -> dict[str, Inference]:
        """All of them once they have ended, by id; `progress` is told how many of how many have.

        Raises WaitTimeout, RecordExpired or AmbiguousInference; `done` of it are those that have.
        """
        wait = waits.wait_many(ids, timeout, endpoint, self._driver.pace)
        return await self._driver.result(wait.all(progress))

    def as_completed(
        self, ids: Iterable[str], timeout: float, *, endpoint: str | None = None
    ) -> AsyncGenerator[Inference, None]:
        """Each when it has ended. The time runs from the call.

        Raises WaitTimeout, RecordExpired or AmbiguousInference after those that have ended.
        """
        wait = waits.wait_many(ids, timeout, endpoint, self._driver.pace)
        return self._driver.each(wait.as_completed())

    async def output(
        self,
        inference_id: str,
        *,
        endpoint: str | None = None,
        max_bytes: int | None = outputs.MAX_BYTES,
    ) -> bytes:
        """The output, or nothing of it.

        Raises InferenceFailed (InferenceExpired, InferenceLost), OutputUnavailable (NoOutput,
        OutputRemoved, OutputTooLarge), NotFound or AmbiguousInference.
        """
        reading = outputs.output(inference_id, endpoint, max_bytes, self._driver.pace)
        return await self._driver.result(reading)

    async def parsed_output(
        self,
        inference_id: str,
        *,
        endpoint: str | None = None,
        max_bytes: int | None = outputs.MAX_BYTES,
    ) -> Any:
        """The output by its content type: an object of JSON, a list of JSON lines, rows of CSV.

        Other text is a string, anything else bytes. Raises what `output` raises, and
        OutputMalformed.
        """
        reading = outputs.parsed_output(inference_id, endpoint, max_bytes, self._driver.pace)
        return await self._driver.result(reading)

    async def save_output(
        self,
        inference_id: str,
        target: str | Path | Sink,
        *,
        endpoint: str | None = None,
        progress: BytesProgress | None = None,
    ) -> int:
        """Write the output to a path, or a binary file, piece by piece; the number of bytes.

        A path gets the whole output or is left as it was. `progress` is told the bytes written, of
        how many (None: not known). Raises what `output` raises.
        """
        saving = outputs.save_output(inference_id, target, endpoint, progress, self._driver.pace)
        return await self._driver.result(saving)

    async def get_output(
        self,
        response: Mapping[str, Any] | str,
        timeout: float,
        *,
        inference_id: str | None = None,
        endpoint: str | None = None,
        max_bytes: int | None = outputs.MAX_BYTES,
    ) -> bytes:
        """Wait for an invocation, and read its output.

        `response` is what invoke_endpoint_async returned. An output location alone needs
        `inference_id` with it: a failure leaves no trace there. Of an id that was used before, the
        output of the earlier invocation is not taken for this one's; its failure would be. Raises
        what `wait` and `output` raise.
        """
        reading = outputs.wait_for_output(
            response, timeout, inference_id, endpoint, max_bytes, self._driver.pace
        )
        return await self._driver.result(reading)

    async def summary(
        self, endpoint: str, *, since: date | str | None = None, until: date | str | None = None
    ) -> Days:
        """The results of an endpoint by day of UTC, newest first; only days that have some.

        Both ends are included; the default is the last 7 days, 31 are the most.
        """
        question = GetSummary(endpoint, queries.to_day(since), queries.to_day(until))
        return await self._driver.result(queries.summary(question, self._driver.pace))

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
