"""The table, asked in process: the use cases behind the HTTP API, with the caller's own rights."""

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

from inference_results.adapters.aws.calls import PRESIGN_CONFIG, client_config
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.sagemaker import INVOKE_CONFIG, AsyncEndpoints
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.adapters.table.summaries import SummaryStore
from inference_results.client.errors import (
    AmbiguousInference,
    IdempotencyKeyReused,
    InvalidRequest,
    InvocationRejected,
    NoOutput,
    NotFound,
    OutputRemoved,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
)
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
from inference_results.client.transports.auth import ACCESS_DENIED_CODES, credentials_error
from inference_results.client.transports.aws_errors import access_denied, storage_error
from inference_results.contract import DEFAULT_RETENTION_DAYS, MAX_RETENTION_DAYS
from inference_results.domain.queries.find import FindInference, FindInferences
from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.queries.output import Content, Link, LocateOutput
from inference_results.domain.queries.wait import WaitForInference, WaitForInferences
from inference_results.domain.record import errors
from inference_results.domain.record.errors import InferenceResultsError, LocationRejected
from inference_results.domain.record.location import parse_prefix
from inference_results.domain.submissions.register import RegisterInvocation
from inference_results.domain.submissions.submit import SubmitInference, Submitted
from inference_results.domain.summaries.summarize import SummarizeEndpoint

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker_runtime import SageMakerRuntimeClient

_UPLOADING: Final = Config(connect_timeout=5, read_timeout=60)
"""S3 takes its time over a large input, and no function ends meanwhile."""

_CALLS_SIDE_BY_SIDE: Final = 16
"""To DynamoDB: the shards of a list, the ids of a batch."""


class TableBackend:
    """Safe to share between threads."""

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
        retention = _retention(retention_days)
        prefix = _prefix(input_prefix)
        config = client_config(connections=_CALLS_SIDE_BY_SIDE)
        dynamodb, s3 = aws_clients(session, config, config.merge(PRESIGN_CONFIG))
        now = partial(datetime.now, UTC)
        self._pool = ThreadPoolExecutor(_CALLS_SIDE_BY_SIDE, "inference-results-table")
        inferences = InferenceQueries(dynamodb, table_name, shards, self._pool)
        find = FindInference(inferences=inferences, now=now)
        find_many = FindInferences(inferences=inferences, now=now)
        self._await_one = WaitForInference(find=find, clock=time.monotonic, sleep=time.sleep)
        self._await_many = WaitForInferences(find=find_many, clock=time.monotonic, sleep=time.sleep)
        # Cursors are signed against those who ask the API; here they do not leave the process.
        self._list = ListInferences(
            inferences=inferences, now=now, cursor_key=secrets.token_bytes(32)
        )
        self._locate_output = LocateOutput(find=find, objects=S3Objects(s3))
        self._summarize = None
        if summaries_table_name is not None:
            summaries = SummaryStore(dynamodb, summaries_table_name)
            self._summarize = SummarizeEndpoint(summaries=summaries, now=now)
        submissions = SubmissionStore(dynamodb, table_name, shards)
        # What the stack answers, its settings say, and those are not known here.
        self._register = RegisterInvocation(
            registrations=submissions, completes_tasks=True, retention=retention, now=now
        )
        self._submit = _SubmitWhenNeeded(
            lambda: SubmitInference(
                attempts=submissions,
                endpoints=AsyncEndpoints(_sagemaker_client(session)),
                inputs=S3Objects(_uploading_client(session)),
                input_prefix=prefix,
                endpoint_names=None,
                completes_tasks=True,
                retention=retention,
                now=now,
                sleep=time.sleep,
                new_token=lambda: uuid.uuid4().hex,
            )
        )

    def reply(self, question: ServiceRequest) -> ServiceResponse:
        try:
            return self._answer(question)
        except InferenceResultsError as error:
            return _told(getattr(question, "inference_id", ""), error)
        except ClientError as error:
            return _refused(question, error)
        except BotoCoreError as error:
            return credentials_error(error)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, question: ServiceRequest) -> ServiceResponse:
        match question:
            case GetRecord(inference_id, endpoint, wait):
                return self._await_one(inference_id, endpoint, wait)
            case GetRecords(inference_ids, endpoint, wait):
                return self._await_many(inference_ids, endpoint, wait)
            case ListRecords():
                asked = asdict(question)
                return self._list(endpoint_name=asked.pop("endpoint"), **asked)
            case GetSummary(endpoint, since, until):
                if self._summarize is None:
                    raise InvalidRequest("expected, to be asked for", "summaries_table_name")
                return self._summarize(endpoint, since, until)
            case GetOutput(inference_id, endpoint):
                return _place(self._locate_output(inference_id, endpoint))
            case Register(inference_id, members):
                return self._register(inference_id, members)
            case Submit(members, body):
                return self._submit(members, body).record


class _SubmitWhenNeeded:
    """The use case with a client of SageMaker, which takes its time to be made: most never do."""

    def __init__(self, make: Callable[[], SubmitInference]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._submit: SubmitInference | None = None

    def __call__(self, members: Mapping[str, Any], body: bytes | None) -> Submitted:
        with self._making:
            if self._submit is None:
                self._submit = self._make()
        return self._submit(members, body)


def _uploading_client(session: boto3.Session | None) -> "S3Client":
    return (session or boto3.Session()).client("s3", config=_UPLOADING)


def _retention(days: int) -> timedelta:
    if not 1 <= days <= MAX_RETENTION_DAYS:
        raise InvalidRequest(f"expected 1 to {MAX_RETENTION_DAYS} days", "retention_days")
    return timedelta(days=days)


def _prefix(text: str | None) -> str | None:
    """As `s3://bucket/prefix/`."""
    if text is None:
        return None
    try:
        return parse_prefix(text if text.endswith("/") else f"{text}/").uri
    except LocationRejected as error:
        raise InvalidRequest("expected s3://bucket/prefix/", "input_prefix") from error


def _place(located: Link | Content) -> OutputLink | OutputInline:
    match located:
        case Link(url):
            return OutputLink(url)
        case Content(body, content_type):
            return OutputInline(body, content_type)


def aws_clients(
    session: boto3.Session | None, dynamodb: Config, s3: Config
) -> tuple["DynamoDBClient", "S3Client"]:
    """Raises NotAuthorized or InvalidRequest if the session, or its configuration, is no good."""
    try:
        session = session or boto3.Session()
        return session.client("dynamodb", config=dynamodb), session.client("s3", config=s3)
    except NoRegionError as error:
        raise InvalidRequest("expected one with a region", "session") from error
    except BotoCoreError as error:
        raise credentials_error(error) from error


def _sagemaker_client(session: boto3.Session | None) -> "SageMakerRuntimeClient":
    return (session or boto3.Session()).client("sagemaker-runtime", config=INVOKE_CONFIG)


def _told(inference_id: str, error: InferenceResultsError) -> InferenceResultsError:
    """The domain's error as the client's."""
    match error:
        case errors.UnknownInference():
            told: InferenceResultsError = NotFound(inference_id)
        case errors.RecordExpired():
            told = RecordExpired(inference_id, error.expired_at)
        case errors.AmbiguousInference():
            told = AmbiguousInference(inference_id, error.endpoints)
        case errors.InvalidParameter():
            told = InvalidRequest(f"expected {error.expected}", error.parameter)
        case errors.NoOutput():
            told = NoOutput(inference_id, error.status)
        case errors.ObjectMissing():
            told = OutputRemoved(inference_id)
        case errors.OutputUnreadable():
            told = OutputUnavailable(inference_id, error.code, error.message)
        case errors.KeyReused() | errors.InvocationRejected():
            told = _not_submitted(error)
        case errors.Unavailable():
            told = ServiceUnavailable(str(error))
        case _:
            return error
    told.__cause__ = error
    return told


def _not_submitted(
    error: errors.KeyReused | errors.InvocationRejected,
) -> InferenceResultsError:
    match error:
        case errors.KeyReused():
            return IdempotencyKeyReused(error.inference_id)
        case errors.InvocationRejected() if error.code in ACCESS_DENIED_CODES:
            return access_denied("InvokeEndpointAsync", error.code)
    return InvocationRejected(error.code, error.message)


def _refused(question: ServiceRequest, error: ClientError) -> InferenceResultsError:
    is_summary = isinstance(question, GetSummary)
    table = "summaries_table_name" if is_summary else "table_name"
    return storage_error(error, table=table, bucket="input_prefix")
