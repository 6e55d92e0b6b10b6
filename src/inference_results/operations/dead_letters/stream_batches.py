"""Parts of the table's stream that Lambda gave up go to the same function again.

The letter only names the part. The stream has the changes for 24 hours: they are read there, and
the function is invoked with them in the form that Lambda itself has.
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

_KEPT: Final = timedelta(hours=STREAM_RETENTION_HOURS)
_GONE: Final = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
_TOLD: Final = frozenset({"INSERT", "MODIFY"})
"""As the filter of the mapping has it."""
_MOST_RECORDS: Final = 100
_MOST_BYTES: Final = 5_000_000
"""Of one invocation. Lambda takes 6 MB."""
_MOST_EMPTY_PAGES: Final = 100
"""In a row: so far one looks ahead for a change that is said to be there."""
_TRIES_WITHOUT_PROGRESS: Final = 3
_PAUSE_SECONDS: Final = 5.0

_SEQUENCE: Final = re.compile(r"[0-9]{1,40}")
_SHARD: Final = re.compile(r"[a-zA-Z0-9-]{1,65}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """What a letter names: the changes of a shard from one sequence number to another."""

    stream_arn: str
    shard_id: str
    first: str
    last: str
    arrived_at: datetime
    """When the first change was made, about."""
    size: int
    condition: str

    @classmethod
    def of(cls, body: str, table_name: str) -> Self:
        """Raises StillFailing for what Lambda does not write, or writes of another table."""
        try:
            letter = json.loads(body)
            info = letter["DDBStreamBatchInfo"]
            part = cls(
                stream_arn=info["streamArn"],
                shard_id=info["shardId"],
                first=info["startSequenceNumber"],
                last=info["endSequenceNumber"],
                arrived_at=datetime.fromisoformat(info["approximateArrivalOfFirstRecord"]),
                size=int(info["batchSize"]),
                condition=str(letter.get("requestContext", {}).get("condition", "")),
            )
            named = (
                _SHARD.fullmatch(part.shard_id)
                and _SEQUENCE.fullmatch(part.first)
                and _SEQUENCE.fullmatch(part.last)
                and part.arrived_at.tzinfo
                and f":table/{table_name}/stream/" in part.stream_arn
            )
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            named = None
        if not named:
            raise StillFailing("it names no part of this table's stream")
        return part

    @property
    def kept_until(self) -> datetime:
        return self.arrived_at + _KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRedrive:
    """To a function that reads the stream, by clients of boto3. `invoke` tells it some changes."""

    streams: Any
    table_name: str
    invoke: "Callable[[StreamBatch, Sequence[dict[str, Any]]], None]"
    now: Callable[[], datetime]
    instead: str
    """What to do about a part that the stream no longer has."""

    def judge(self, letter: DeadLetter) -> Assessment:
        """By its time only: nothing is read."""
        try:
            part = StreamBatch.of(letter.body, self.table_name)
        except StillFailing as why:
            return Assessment(would_pass=False, why=str(why))
        kept = self.now() < part.kept_until
        until = part.kept_until.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        return Assessment(
            would_pass=kept,
            why=f"{part.condition or 'given up'}: can be redriven until {until}"
            if kept
            else self._past_repair,
            inference_id=f"{part.shard_id} {part.first}..{part.last}",
            status=f"{part.size} changes",
        )

    def redrive(self, letter: DeadLetter) -> None:
        """From its beginning, though a former run may have come half way."""
        part = StreamBatch.of(letter.body, self.table_name)
        for chunk in _chunks(self._records(part)):
            self.invoke(part, chunk)

    def _records(self, part: StreamBatch) -> list[dict[str, Any]]:
        """In Lambda's form, without what the function is not told of."""
        with translate_aws_errors("dynamodb"):
            try:
                found = list(self._read(part))
            except ClientError as error:
                if error.response["Error"]["Code"] in _GONE:
                    raise StillFailing(self._past_repair) from error
                raise
        told = [each for each in found if each["eventName"] in _TOLD]
        return [json.loads(_json(each | {"eventSourceARN": part.stream_arn})) for each in told]

    def _read(self, part: StreamBatch) -> Iterator[dict[str, Any]]:
        iterator = self.streams.get_shard_iterator(
            StreamArn=part.stream_arn,
            ShardId=part.shard_id,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=part.first,
        )["ShardIterator"]
        looks = _MOST_EMPTY_PAGES
        while iterator and looks:
            page = self.streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                sequence = int(record["dynamodb"]["SequenceNumber"])
                if sequence <= int(part.last):
                    yield record
                if sequence >= int(part.last):
                    return
            looks = _MOST_EMPTY_PAGES if page["Records"] else looks - 1
            iterator = page.get("NextShardIterator")
        raise StillFailing("the stream ends before the last change that it names")

    @property
    def _past_repair(self) -> str:
        return f"past repair, the stream no longer has it: {self.instead}"


@dataclass(frozen=True, slots=True)
class Function:
    """A function that is invoked with changes, by a Lambda client of boto3."""

    client: Any
    name: str

    def __call__(self, event: Mapping[str, Any]) -> Any:
        """Its answer. Raises StillFailing if it fails."""
        with translate_aws_errors("lambda"):
            answer = self.client.invoke(FunctionName=self.name, Payload=_json(event).encode())
            payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            # Not its message, which may hold anything.
            kind = payload.get("errorType", "") if isinstance(payload, dict) else ""
            raise StillFailing(
                f"the function failed: {kind or answer['FunctionError']}; see its log"
            )
        return payload


@dataclass(frozen=True, slots=True)
class InvokeSummarize:
    """Counts under a writer of the part's own, what its former writer did not count."""

    function: Function

    def __call__(self, part: StreamBatch, records: Sequence[dict[str, Any]]) -> None:
        self.function(
            {
                "Records": records,
                "shardId": f"{part.shard_id}-redriven-{part.first}",
                REDRIVEN_FROM: part.shard_id,
            }
        )


@dataclass(frozen=True, slots=True)
class InvokePublishEvents:
    """Goes on from the first change that the bus did not take, a few times."""

    function: Function
    sleep: Callable[[float], None]

    def __call__(self, part: StreamBatch, records: Sequence[dict[str, Any]]) -> None:
        tries = _TRIES_WITHOUT_PROGRESS
        while True:
            left = self._left(records)
            if not left:
                return
            tries = tries - 1 if len(left) == len(records) else _TRIES_WITHOUT_PROGRESS
            if not tries:
                raise StillFailing(f"the event bus did not take {len(left)} changes; see the log")
            records = left
            self.sleep(_PAUSE_SECONDS)

    def _left(self, records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        failures = self.function({"Records": records})["batchItemFailures"]
        if not failures:
            return []
        sequences = [each["dynamodb"]["SequenceNumber"] for each in records]
        return records[sequences.index(failures[0]["itemIdentifier"]) :]


def _chunks(records: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    room = _MOST_BYTES
    for record in records:
        size = len(_json(record).encode())
        if chunk and (len(chunk) == _MOST_RECORDS or size > room):
            yield chunk
            chunk, room = [], _MOST_BYTES
        chunk.append(record)
        room -= size
    if chunk:
        yield chunk


def _json(value: Any) -> str:
    return json.dumps(value, default=_as_lambda_has_it)


def _as_lambda_has_it(value: Any) -> Any:
    """What boto3 reads as Python's own: times, and the binary values of items."""
    match value:
        case datetime():
            return value.timestamp()
        case bytes():
            return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)
