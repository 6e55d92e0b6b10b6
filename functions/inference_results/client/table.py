"""The table, asked in process: the use cases behind the HTTP API, with the caller's own rights."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from inference_results.adapters.aws import PRESIGNING, client_config
from inference_results.adapters.queries import InferenceQueries
from inference_results.adapters.s3 import S3Objects
from inference_results.adapters.summaries import SummariesTable
from inference_results.client.access import REFUSALS, credentials_trouble
from inference_results.client.errors import (
    AmbiguousInference,
    InvalidRequest,
    NoOutput,
    NotAuthorized,
    NotFound,
    OutputRemoved,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedAnswer,
)
from inference_results.client.questions import (
    EndpointSummary,
    ManyRecords,
    OneRecord,
    OutputAt,
    OutputInline,
    OutputPlace,
    Question,
    RecordPage,
    Reply,
)
from inference_results.domain import errors
from inference_results.domain.errors import InferenceResultsError
from inference_results.domain.listing import ListInferences
from inference_results.domain.lookup import FindInference, FindInferences
from inference_results.domain.output import Content, Link, LocateOutput
from inference_results.domain.summary import SummarizeEndpoint
from inference_results.domain.waiting import AwaitInference, AwaitInferences

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

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
        session: boto3.Session | None = None,
    ) -> None:
        config = client_config(connections=_CALLS_SIDE_BY_SIDE)
        dynamodb, s3 = aws_clients(session, config, config.merge(PRESIGNING))
        now = partial(datetime.now, UTC)
        self._pool = ThreadPoolExecutor(_CALLS_SIDE_BY_SIDE, "inference-results-table")
        inferences = InferenceQueries(dynamodb, table_name, shards, self._pool)
        find = FindInference(inferences=inferences, now=now)
        find_many = FindInferences(inferences=inferences, now=now)
        self._await_one = AwaitInference(find=find, clock=time.monotonic, sleep=time.sleep)
        self._await_many = AwaitInferences(find=find_many, clock=time.monotonic, sleep=time.sleep)
        # Cursors are signed against those who ask the API; here they do not leave the process.
        self._list = ListInferences(
            inferences=inferences, now=now, cursor_key=secrets.token_bytes(32)
        )
        self._locate_output = LocateOutput(find=find, objects=S3Objects(s3))
        self._summarize = None
        if summaries_table_name is not None:
            summaries = SummariesTable(dynamodb, summaries_table_name)
            self._summarize = SummarizeEndpoint(summaries=summaries, now=now)

    def reply(self, question: Question) -> Reply:
        try:
            return self._answer(question)
        except InferenceResultsError as error:
            return _told(getattr(question, "inference_id", ""), error)
        except ClientError as error:
            is_summary = isinstance(question, EndpointSummary)
            return refused("summaries_table_name" if is_summary else "table_name", error)
        except BotoCoreError as error:
            return credentials_trouble(error)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, question: Question) -> Reply:
        match question:
            case OneRecord(inference_id, endpoint, wait):
                return self._await_one(inference_id, endpoint, wait)
            case ManyRecords(inference_ids, endpoint, wait):
                return self._await_many(inference_ids, endpoint, wait)
            case RecordPage():
                asked = asdict(question)
                return self._list(endpoint_name=asked.pop("endpoint"), **asked)
            case EndpointSummary(endpoint, since, until):
                if self._summarize is None:
                    raise InvalidRequest("expected, to be asked for", "summaries_table_name")
                return self._summarize(endpoint, since, until)
            case OutputPlace(inference_id, endpoint):
                match self._locate_output(inference_id, endpoint):
                    case Link(url):
                        return OutputAt(url)
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
        raise credentials_trouble(error) from error


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
        case errors.Unavailable():
            told = ServiceUnavailable(str(error))
        case _:
            return error
    told.__cause__ = error
    return told


def refused(table: str, error: ClientError) -> InferenceResultsError:
    """What it means that AWS refuses a call for good; `table` is the parameter that names it."""
    code = error.response["Error"]["Code"]
    if code == "ResourceNotFoundException":
        told: InferenceResultsError = InvalidRequest("there is no such table", table)
    elif code == "ValidationException":
        told = InvalidRequest("expected a table of this service", table)
    elif code in REFUSALS:
        told = NotAuthorized(
            f"{error.operation_name}: not allowed, or the credentials have expired: {code}"
        )
    else:
        told = UnexpectedAnswer(f"AWS refuses: {code}")
    told.__cause__ = error
    return told
