"""The backend that runs the service's use cases in process, with the caller's AWS permissions."""

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from inference_results.adapters.aws.config import PRESIGN_CONFIG, client_config
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sagemaker import INVOKE_CONFIG, AsyncEndpoints
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.adapters.table.summaries import SummaryStore
from inference_results.client.errors import InvalidRequest
from inference_results.client.flows.requests import (
    GetOutput,
    GetRecord,
    GetRecords,
    GetSummary,
    ListRecords,
    OutputInline,
    OutputLink,
    Register,
    ServiceRequest,
    ServiceResponse,
    Submit,
)
from inference_results.client.transports.auth import credentials_error
from inference_results.client.transports.aws_errors import storage_error
from inference_results.client.transports.domain_errors import to_client_error
from inference_results.contract import DEFAULT_RETENTION_DAYS, MAX_RETENTION_DAYS
from inference_results.domain.queries.find import FindInference, FindInferences
from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.queries.output import Content, Link, LocateOutput
from inference_results.domain.queries.wait import WaitForInference, WaitForInferences
from inference_results.domain.record.errors import InferenceResultsError, LocationRejected
from inference_results.domain.record.location import parse_prefix
from inference_results.domain.submissions.register import RegisterInvocation
from inference_results.domain.submissions.submit import SubmitInference, Submitted
from inference_results.domain.summaries.summarize import SummarizeEndpoint

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker_runtime import SageMakerRuntimeClient

_UPLOAD_CONFIG: Final = Config(connect_timeout=5, read_timeout=60)
"""Longer timeouts than in a function, because S3 can be slow with a large input."""

_MAX_CONCURRENT_CALLS: Final = 16
"""Calls to DynamoDB for the shards of a list or the ids of a batch."""


class TableBackend:
    """Reads and writes the table. Safe to share between threads."""

    def __init__(
        self,
        table_name: str,
        *,
        shards: int,
        summaries_table_name: str | None = None,
        input_prefix: str | None = None,
        retention_days: int = DEFAULT_RETENTION_DAYS,
        session: boto3.Session | None = None,
    ) -> None:
        """Raises InvalidRequest or NotAuthorized."""
        retention = _parse_retention(retention_days)
        prefix = _parse_prefix(input_prefix)
        config = client_config(connections=_MAX_CONCURRENT_CALLS)
        dynamodb, s3 = aws_clients(session, config, config.merge(PRESIGN_CONFIG))
        now = partial(datetime.now, UTC)
        self._pool = ThreadPoolExecutor(_MAX_CONCURRENT_CALLS, "inference-results-table")
        inferences = InferenceQueries(dynamodb, table_name, shards, self._pool)
        find = FindInference(inferences=inferences, now=now)
        find_many = FindInferences(inferences=inferences, now=now)
        self._wait_for_one = WaitForInference(find=find, clock=time.monotonic, sleep=time.sleep)
        self._wait_for_many = WaitForInferences(
            find=find_many, clock=time.monotonic, sleep=time.sleep
        )
        # A random key, because cursors do not leave this process.
        self._list = ListInferences(
            inferences=inferences, now=now, cursor_key=secrets.token_bytes(32)
        )
        self._locate_output = LocateOutput(find=find, objects=S3Objects(s3))
        self._summarize = None
        if summaries_table_name is not None:
            summaries = SummaryStore(dynamodb, summaries_table_name)
            self._summarize = SummarizeEndpoint(summaries=summaries, now=now)
        submissions = SubmissionStore(dynamodb, table_name, shards)
        # Accept task tokens: the stack's settings are not known here.
        self._register = RegisterInvocation(
            registrations=submissions, completes_tasks=True, retention=retention, now=now
        )
        self._submit = _LazySubmit(
            lambda: SubmitInference(
                attempts=submissions,
                endpoints=AsyncEndpoints(_sagemaker_client(session)),
                inputs=S3Objects(_upload_client(session)),
                input_prefix=prefix,
                endpoint_names=None,
                completes_tasks=True,
                retention=retention,
                now=now,
                sleep=time.sleep,
                new_token=lambda: uuid.uuid4().hex,
            )
        )

    def send(self, request: ServiceRequest) -> ServiceResponse:
        """Carry out a request. Returns client errors as responses instead of raising them."""
        try:
            return self._execute(request)
        except InferenceResultsError as error:
            return to_client_error(getattr(request, "inference_id", ""), error)
        except ClientError as error:
            is_summary = isinstance(request, GetSummary)
            table = "summaries_table_name" if is_summary else "table_name"
            return storage_error(error, table=table, bucket="input_prefix")
        except BotoCoreError as error:
            return credentials_error(error)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _execute(self, request: ServiceRequest) -> ServiceResponse:
        match request:
            case GetRecord(inference_id, endpoint, wait):
                return self._wait_for_one(inference_id, endpoint, wait)
            case GetRecords(inference_ids, endpoint, wait):
                return self._wait_for_many(inference_ids, endpoint, wait)
            case ListRecords():
                parameters = asdict(request)
                return self._list(endpoint_name=parameters.pop("endpoint"), **parameters)
            case GetSummary(endpoint, since, until):
                if self._summarize is None:
                    raise InvalidRequest(
                        "expected the name of the summaries table", "summaries_table_name"
                    )
                return self._summarize(endpoint, since, until)
            case GetOutput(inference_id, endpoint):
                return _output_response(self._locate_output(inference_id, endpoint))
            case Register(inference_id, members):
                return self._register(inference_id, members)
            case Submit(members, body):
                return self._submit(members, body).record


class _LazySubmit:
    """Builds the use case at the first call, because SageMaker's client is slow to create."""

    def __init__(self, build: Callable[[], SubmitInference]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._submit: SubmitInference | None = None

    def __call__(self, members: Mapping[str, Any], body: bytes | None) -> Submitted:
        with self._lock:
            if self._submit is None:
                self._submit = self._build()
        return self._submit(members, body)


def aws_clients(
    session: boto3.Session | None, dynamodb: Config, s3: Config
) -> tuple["DynamoDBClient", "S3Client"]:
    """Return clients for DynamoDB and S3.

    Raises NotAuthorized or InvalidRequest if the session or its configuration is invalid.
    """
    try:
        session = session or boto3.Session()
        return session.client("dynamodb", config=dynamodb), session.client("s3", config=s3)
    except NoRegionError as error:
        raise InvalidRequest("expected a session with a region", "session") from error
    except BotoCoreError as error:
        raise credentials_error(error) from error


def _upload_client(session: boto3.Session | None) -> "S3Client":
    return (session or boto3.Session()).client("s3", config=_UPLOAD_CONFIG)


def _sagemaker_client(session: boto3.Session | None) -> "SageMakerRuntimeClient":
    return (session or boto3.Session()).client("sagemaker-runtime", config=INVOKE_CONFIG)


def _parse_retention(days: int) -> timedelta:
    if not 1 <= days <= MAX_RETENTION_DAYS:
        raise InvalidRequest(f"expected 1 to {MAX_RETENTION_DAYS} days", "retention_days")
    return timedelta(days=days)


def _parse_prefix(text: str | None) -> str | None:
    """Return `s3://bucket/prefix/`, with a slash at the end."""
    if text is None:
        return None
    try:
        return parse_prefix(text if text.endswith("/") else f"{text}/").uri
    except LocationRejected as error:
        raise InvalidRequest("expected s3://bucket/prefix/", "input_prefix") from error


def _output_response(located: Link | Content) -> OutputLink | OutputInline:
    match located:
        case Link(url):
            return OutputLink(url)
        case Content(body, content_type):
            return OutputInline(body, content_type)
