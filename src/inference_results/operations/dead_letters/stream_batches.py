"""Redrive stream batches: read them from the table's stream, and invoke the function again.

A dead letter only refers to its batch. DynamoDB keeps the changes for 24 hours. The function
receives them in the format of Lambda's event source mapping.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from botocore.exceptions import ClientError

from inference_results.client.transports.aws_errors import translate_aws_errors
from inference_results.contract import REDRIVEN_FROM, STREAM_RETENTION_HOURS
from inference_results.operations.dead_letters.queues import DeadLetter
from inference_results.operations.dead_letters.redrive import Assessment, StillFailing

_RETENTION: Final = timedelta(hours=STREAM_RETENTION_HOURS)
_EXPIRED_CODES: Final = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
_EVENT_NAMES: Final = frozenset({"INSERT", "MODIFY"})
"""The event source mapping has a filter for the same."""
_MAX_RECORDS: Final = 100
_MAX_BYTES: Final = 5_000_000
"""Per invocation. Lambda's limit is 6 MB."""
_MAX_EMPTY_PAGES: Final = 100
"""GetRecords can return empty pages. After so many in a row, reading stops."""
_ATTEMPTS_WITHOUT_PROGRESS: Final = 3
_PAUSE_SECONDS: Final = 5.0

_SEQUENCE_NUMBER: Final = re.compile(r"[0-9]{1,40}")
_SHARD_ID: Final = re.compile(r"[a-zA-Z0-9-]{1,65}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """The changes of one shard between two sequence numbers, both inclusive."""

    stream_arn: str
    shard_id: str
    first: str
    last: str
    arrived_at: datetime
    """The approximate time of the first change."""
    size: int
    condition: str
    """Why Lambda gave up, such as RetryAttemptsExhausted."""

    @classmethod
    def parse(cls, body: str, table_name: str) -> Self:
        """Parse Lambda's message. Raises StillFailing if it is malformed or of another table."""
        try:
            document = json.loads(body)
            info = document["DDBStreamBatchInfo"]
            batch = cls(
                stream_arn=info["streamArn"],
                shard_id=info["shardId"],
                first=info["startSequenceNumber"],
                last=info["endSequenceNumber"],
                arrived_at=datetime.fromisoformat(info["approximateArrivalOfFirstRecord"]),
                size=int(info["batchSize"]),
                condition=str(document.get("requestContext", {}).get("condition", "")),
            )
            is_valid = (
                _SHARD_ID.fullmatch(batch.shard_id)
                and _SEQUENCE_NUMBER.fullmatch(batch.first)
                and _SEQUENCE_NUMBER.fullmatch(batch.last)
                and batch.arrived_at.tzinfo
                and f":table/{table_name}/stream/" in batch.stream_arn
            )
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            is_valid = None
        if not is_valid:
            raise StillFailing("not a reference to a batch of this table's stream")
        return batch

    @property
    def expires_at(self) -> datetime:
        return self.arrived_at + _RETENTION


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatchRedriver:
    """Read batches with a boto3 DynamoDB Streams client, and pass their changes to `invoke`."""

    streams: Any
    table_name: str
    invoke: "Callable[[StreamBatch, Sequence[dict[str, Any]]], None]"
    now: Callable[[], datetime]
    advice_if_expired: str

    def assess(self, message: DeadLetter) -> Assessment:
        """Compare the batch's age with the stream's retention. Does not read the stream."""
        try:
            batch = StreamBatch.parse(message.body, self.table_name)
        except StillFailing as error:
            return Assessment(redrivable=False, reason=str(error))
        redrivable = self.now() < batch.expires_at
        until = batch.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        return Assessment(
            redrivable=redrivable,
            reason=f"{batch.condition or 'given up by Lambda'}: can be redriven until {until}"
            if redrivable
            else self._expired,
            inference_id=f"{batch.shard_id} {batch.first}..{batch.last}",
            status=f"{batch.size} changes",
        )

    def redrive(self, message: DeadLetter) -> None:
        """Invoke the function with the whole batch, even if an earlier run processed some of it."""
        batch = StreamBatch.parse(message.body, self.table_name)
        for records in _chunks(self._records(batch)):
            self.invoke(batch, records)

    def _records(self, batch: StreamBatch) -> list[dict[str, Any]]:
        """Read the batch and return the changes that the function handles, in Lambda's format."""
        with translate_aws_errors("dynamodb"):
            try:
                records = list(self._read(batch))
            except ClientError as error:
                if error.response["Error"]["Code"] in _EXPIRED_CODES:
                    raise StillFailing(self._expired) from error
                raise
        handled = [record for record in records if record["eventName"] in _EVENT_NAMES]
        source = {"eventSourceARN": batch.stream_arn}
        return [json.loads(_to_json(record | source)) for record in handled]

    def _read(self, batch: StreamBatch) -> Iterator[dict[str, Any]]:
        iterator = self.streams.get_shard_iterator(
            StreamArn=batch.stream_arn,
            ShardId=batch.shard_id,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch.first,
        )["ShardIterator"]
        empty_pages_left = _MAX_EMPTY_PAGES
        while iterator and empty_pages_left:
            page = self.streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                sequence = int(record["dynamodb"]["SequenceNumber"])
                if sequence <= int(batch.last):
                    yield record
                if sequence >= int(batch.last):
                    return
            empty_pages_left = _MAX_EMPTY_PAGES if page["Records"] else empty_pages_left - 1
            iterator = page.get("NextShardIterator")
        raise StillFailing("the stream ends before the last change of the batch")

    @property
    def _expired(self) -> str:
        return f"expired, the stream no longer has the changes: {self.advice_if_expired}"


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """Invoke a function with a boto3 Lambda client."""

    client: Any
    name: str

    def __call__(self, event: Mapping[str, Any]) -> Any:
        """Return the function's response. Raises StillFailing if the function fails."""
        with translate_aws_errors("lambda"):
            response = self.client.invoke(FunctionName=self.name, Payload=_to_json(event).encode())
            payload = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            # The error's message can contain payload; its type cannot.
            error_type = payload.get("errorType", "") if isinstance(payload, dict) else ""
            raise StillFailing(
                f"the function failed: {error_type or response['FunctionError']}; see its log"
            )
        return payload


@dataclass(frozen=True, slots=True)
class InvokeSummarize:
    """Invoke summarize, which counts the changes that the original attempt did not count.

    See docs/decisions/0018-counting-redriven-changes.md.
    """

    function: LambdaFunction

    def __call__(self, batch: StreamBatch, records: Sequence[dict[str, Any]]) -> None:
        self.function(
            {
                "Records": records,
                "shardId": f"{batch.shard_id}-redriven-{batch.first}",
                REDRIVEN_FROM: batch.shard_id,
            }
        )


@dataclass(frozen=True, slots=True)
class InvokePublishEvents:
    """Invoke publish_events until it has published all changes, or makes no progress."""

    function: LambdaFunction
    sleep: Callable[[float], None]

    def __call__(self, batch: StreamBatch, records: Sequence[dict[str, Any]]) -> None:
        attempts = _ATTEMPTS_WITHOUT_PROGRESS
        while True:
            remaining = self._publish(records)
            if not remaining:
                return
            made_progress = len(remaining) < len(records)
            attempts = _ATTEMPTS_WITHOUT_PROGRESS if made_progress else attempts - 1
            if not attempts:
                raise StillFailing(
                    f"the event bus did not accept {len(remaining)} changes;"
                    " see the log of publish_events"
                )
            records = remaining
            self.sleep(_PAUSE_SECONDS)

    def _publish(self, records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Return the records from the first failure on."""
        failures = self.function({"Records": records})["batchItemFailures"]
        if not failures:
            return []
        sequence_numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        return records[sequence_numbers.index(failures[0]["itemIdentifier"]) :]


def _chunks(records: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    bytes_left = _MAX_BYTES
    for record in records:
        size = len(_to_json(record).encode())
        if chunk and (len(chunk) == _MAX_RECORDS or size > bytes_left):
            yield chunk
            chunk, bytes_left = [], _MAX_BYTES
        chunk.append(record)
        bytes_left -= size
    if chunk:
        yield chunk


def _to_json(value: Any) -> str:
    return json.dumps(value, default=_to_lambda_format)


def _to_lambda_format(value: Any) -> Any:
    """Convert what boto3 parses into Python types: timestamps and binary values."""
    match value:
        case datetime():
            return value.timestamp()
        case bytes():
            return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)
