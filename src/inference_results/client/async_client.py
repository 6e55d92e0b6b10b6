"""The asyncio client. Its methods are those of Client."""

import ssl
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import boto3
import httpx

from inference_results.client.flows import outputs, queries, submissions, waits
from inference_results.client.flows.backoff import Backoff
from inference_results.client.flows.download import BytesProgress, Sink
from inference_results.client.flows.requests import GetSummary, ListRecords
from inference_results.client.records import Batch, DaySummary, Inference
from inference_results.client.transports.async_driver import Driver, HttpBackend, ThreadedBackend
from inference_results.client.transports.auth import CONNECTION_LIMITS, build_auth, tls_context
from inference_results.client.transports.http_api import Api
from inference_results.contract import DEFAULT_RETENTION_DAYS

_Days: TypeAlias = list[DaySummary]
"""Defined outside the class, whose method `list` hides the type."""

_MAX_TABLE_DELAY_SECONDS: Final = 2.0
"""The longest delay between two polls of the table, the same as in the blocking client."""


class AsyncClient:
    """An asyncio client for SageMaker asynchronous inferences and their results.

    It has the constructors, methods and errors of Client. Use `await` for methods that return a
    value, and `async for` for `list` and `as_completed`. `progress` is called in the event loop.
    `from_predictor_response` is missing because the SageMaker SDK blocks: use a Client in a thread.

    Usage:

        async with AsyncClient("https://abc123.execute-api.eu-west-1.amazonaws.com") as client:
            inference = await client.wait("my-inference-id", timeout=600)
            print(inference.status, await client.output("my-inference-id"))

    Parameters:

    * `api_url`: The stack's output `ApiUrl`. Use `AsyncClient.on_table` to read the table instead.
    * `session`: The boto3 session whose credentials sign requests. The default is boto3's.
    * `token`: A JWT to send instead of a signature, or a callable that returns one. The callable is
      called in a thread before the first request, and again when the API rejects its token.
    * `region`: The region to sign for. The default is the URL's region, then the session's.
    * `verify`: An SSL context, or the path of a file or directory of CA certificates. The default
      is AWS_CA_BUNDLE, then SSL_CERT_FILE, then httpx's certificates.

    Requests are retried up to 4 times while a retry can help. Every method can raise NotAuthorized,
    ServiceUnavailable, InvalidRequest and UnexpectedResponse. Without an `endpoint`, an id that
    exists on several endpoints raises AmbiguousInference.
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
        api = Api.from_url(api_url)
        auth = build_auth(api.url, session, token, region)
        tls = tls_context(verify)
        backend = HttpBackend(
            api, httpx.AsyncClient(auth=auth, verify=tls, limits=CONNECTION_LIMITS)
        )
        self._driver = Driver(backend, httpx.AsyncClient(verify=tls, limits=CONNECTION_LIMITS))

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
        """Create a client that uses the table directly, with the permissions of `session`.

        `table_name`, `shards` and `summaries_table_name` are outputs of the stack.

        Reading needs `dynamodb:Query` on the table, its indexes and the summaries table,
        `dynamodb:BatchGetItem` on the table, and `s3:GetObject` and `s3:GetObjectVersion` on the
        outputs.

        `register` needs `dynamodb:UpdateItem` on the table. `submit` also needs
        `dynamodb:GetItem`, `dynamodb:DeleteItem` and `sagemaker:InvokeEndpointAsync`. It uploads
        inputs of more than 128,000 bytes to `input_prefix` (`s3://bucket/prefix/`), which needs
        `s3:PutObject`. If the stack's setting `retention_days` is not 90, pass it.

        A `task_token` is always accepted, but no task is completed if the stack has no
        `state_machine_arns`.
        """
        # Imported here because most callers use the API, and this takes time to load.
        from inference_results.client.transports.table import TableBackend

        backend = TableBackend(
            table_name,
            shards=shards,
            summaries_table_name=summaries_table_name,
            input_prefix=input_prefix,
            retention_days=retention_days,
            session=session,
        )
        storage = httpx.AsyncClient(verify=tls_context(None), limits=CONNECTION_LIMITS)
        backoff = Backoff(max_wait=_MAX_TABLE_DELAY_SECONDS)
        return cls.with_driver(Driver(ThreadedBackend(backend), storage, backoff=backoff))

    @classmethod
    def with_driver(cls, driver: Driver) -> Self:
        """Create a client with a custom driver: another backend, clock or HTTP transport."""
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
        """Invoke an endpoint, once for each idempotency key, and return the inference's record.

        `body_or_location` is the input as bytes, or its location as a string (`s3://bucket/key`).
        The same call with the same key invokes nothing and returns the current record, so you can
        repeat it after any error.

        `metadata` is stored in the record. `task_token` belongs to a Step Functions task, which
        the service completes when the inference has ended.

        Raises IdempotencyKeyReused or InvocationRejected.
        """
        request = submissions.build_submission(
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
        return await self._driver.run(submissions.record_for(request, self._driver.backoff))

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
        """Record an invocation that you made, and return the inference's record.

        `response` is the response of invoke_endpoint_async; the other parameters are those of your
        invocation. The call is idempotent, and also works after the result has arrived.

        `submitted_at` defaults to the date in the response, which comes from SageMaker's clock. A
        datetime needs an offset. `metadata` is stored in the record. `task_token` belongs to a Step
        Functions task, which the service completes when the inference has ended.
        """
        request = submissions.build_registration(
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
        return await self._driver.run(submissions.record_for(request, self._driver.backoff))

    async def get(self, inference_id: str, *, endpoint: str | None = None) -> Inference:
        """Return the record of an inference.

        Raises NotFound, RecordExpired or AmbiguousInference.
        """
        return await self._driver.run(queries.get(inference_id, endpoint, self._driver.backoff))

    async def batch_get(self, ids: Iterable[str], *, endpoint: str | None = None) -> Batch:
        """Return the records of any number of ids, and the reason for each id without a record."""
        return await self._driver.run(queries.batch_get(ids, endpoint, self._driver.backoff))

    def list(
        self,
        *,
        endpoint: str | None = None,
        status: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        page_size: int = 50,
    ) -> AsyncGenerator[Inference, None]:
        """Iterate over the records of an endpoint, a status, or both, newest first.

        Without an `endpoint`, pass a `status` other than Completed. `since` is inclusive, `until`
        is exclusive; datetimes need an offset. Pages are requested as you iterate.

        Listed records are partial. They have no output, for example.
        """
        request = ListRecords(
            endpoint=endpoint,
            status=status,
            since=queries.to_timestamp(since, "since"),
            until=queries.to_timestamp(until, "until"),
            limit=page_size,
        )
        return self._driver.iterate(queries.list_records(request, self._driver.backoff))

    async def wait(
        self, inference_id: str, timeout: float, *, endpoint: str | None = None
    ) -> Inference:
        """Wait until an inference has ended, and return its record. `timeout` is in seconds.

        Returns records of any final status; call `raise_for_status()` on the record to raise an
        error for a failure. Also waits for an unknown id, whose record can still appear.

        Raises WaitTimeout, RecordExpired or AmbiguousInference.
        """
        wait = waits.wait(inference_id, timeout, endpoint, self._driver.backoff)
        return await self._driver.run(wait.one())

    async def wait_all(
        self,
        ids: Iterable[str],
        timeout: float,
        *,
        endpoint: str | None = None,
        progress: waits.Progress | None = None,
    ) -> dict[str, Inference]:
        """Wait until all inferences have ended, and return their records by id.

        `progress(ended, total)` is called after each poll.

        Raises WaitTimeout, RecordExpired or AmbiguousInference. The error's `done` holds the
        records of the inferences that have ended.
        """
        wait = waits.wait_many(ids, timeout, endpoint, self._driver.backoff)
        return await self._driver.run(wait.all(progress))

    def as_completed(
        self, ids: Iterable[str], timeout: float, *, endpoint: str | None = None
    ) -> AsyncGenerator[Inference, None]:
        """Iterate over inferences as they end. The timeout starts with this call.

        Raises WaitTimeout, RecordExpired or AmbiguousInference, after all inferences that have
        ended.
        """
        wait = waits.wait_many(ids, timeout, endpoint, self._driver.backoff)
        return self._driver.iterate(wait.as_completed())

    async def output(
        self,
        inference_id: str,
        *,
        endpoint: str | None = None,
        max_bytes: int | None = outputs.MAX_BYTES,
    ) -> bytes:
        """Return the output as bytes.

        Raises InferenceFailed (InferenceExpired, InferenceLost), OutputUnavailable (NoOutput,
        OutputRemoved, OutputTooLarge), NotFound or AmbiguousInference.
        """
        operation = outputs.output(inference_id, endpoint, max_bytes, self._driver.backoff)
        return await self._driver.run(operation)

    async def parsed_output(
        self,
        inference_id: str,
        *,
        endpoint: str | None = None,
        max_bytes: int | None = outputs.MAX_BYTES,
    ) -> Any:
        """Return the output, parsed by its content type.

        JSON becomes an object, JSON lines a list, CSV a list of rows, and other text a string.
        Other types stay bytes. Raises OutputMalformed, and everything that `output` raises.
        """
        operation = outputs.parsed_output(inference_id, endpoint, max_bytes, self._driver.backoff)
        return await self._driver.run(operation)

    async def save_output(
        self,
        inference_id: str,
        target: str | Path | Sink,
        *,
        endpoint: str | None = None,
        progress: BytesProgress | None = None,
    ) -> int:
        """Write the output to a path or an open binary file, and return the number of bytes.

        The output is streamed. A file at the path is replaced only when the download is complete.
        `progress(written, total)` is called with numbers of bytes; `total` is None if it is not
        known. Raises everything that `output` raises.
        """
        operation = outputs.save_output(
            inference_id, target, endpoint, progress, self._driver.backoff
        )
        return await self._driver.run(operation)

    async def get_output(
        self,
        response: Mapping[str, Any] | str,
        timeout: float,
        *,
        inference_id: str | None = None,
        endpoint: str | None = None,
        max_bytes: int | None = outputs.MAX_BYTES,
    ) -> bytes:
        """Wait for an invocation and return its output.

        `response` is the response of invoke_endpoint_async. If you pass only its OutputLocation,
        also pass the `inference_id`: a failed inference writes nothing to that location.

        If the id was used before, the output of the earlier invocation is ignored, but its failure
        is raised. Raises everything that `wait` and `output` raise.
        """
        operation = outputs.wait_for_output(
            response, timeout, inference_id, endpoint, max_bytes, self._driver.backoff
        )
        return await self._driver.run(operation)

    async def summary(
        self, endpoint: str, *, since: date | str | None = None, until: date | str | None = None
    ) -> _Days:
        """Return the numbers and latencies of an endpoint's results by day (UTC), newest first.

        Days without results are left out. `since` and `until` are inclusive. The default is the
        last 7 days, the maximum is 31 days.
        """
        request = GetSummary(endpoint, queries.to_day(since), queries.to_day(until))
        return await self._driver.run(queries.summary(request, self._driver.backoff))

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
