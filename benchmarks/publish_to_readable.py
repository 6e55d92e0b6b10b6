"""Latency from publishing a notification until its record is readable.

Runs on the local system, against the handlers of pipeline_handlers.py, each behind its topic and
queue. The time starts with the publish call and ends with the response to the first strongly
consistent GetItem that returns the item.

The base is an empty handler. It writes no record, so its time ends with the response to the first
GetItem sent after its invocation, as if its work were readable at once. These reads run in a loop
for every contestant.
"""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import boto3

from benchmarks.batches import create_table
from benchmarks.local_system import local_system
from benchmarks.measurements import Part, Rounds, Target, table
from benchmarks.notifications import ENDPOINT, completed, message
from benchmarks.pipelines import create_pipeline
from inference_results.contract import Attribute, StackOutput
from local.deployment import OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import LocalFolder

ROUNDS: Final = 60
ROUNDS_OF_TEN: Final = 20
_WARMUP_ROUNDS: Final = 4

EMPTY: Final = "empty handler, until invoked"
EMPTY_DELETED: Final = "empty handler, until the message is deleted"
PUT: Final = "one put_item"
GET_AND_PUT: Final = "ranged get_object and put_item"
OURS: Final = "record_result"
OURS_INLINE: Final = "record_result, response in the notification"

_IN_TENS: Final = (EMPTY, EMPTY_DELETED, GET_AND_PUT, OURS)
_LIMIT: Final = 1.3
_TABLE: Final = "benchmark"
_OUTPUT: Final = b"x" * 1000
_OUTPUT_KEY: Final = f"{OUTPUT_PREFIX}benchmark.out"
_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A topic to publish to. `is_readable` checks once whether all of the ids have arrived.

    After an empty receive, such as the one after an invocation, the embedded AWS polls its queues
    again only after 50 ms. `rest_seconds` waits until it polls continuously.
    """

    topic_arn: str
    is_readable: Callable[[Sequence[str]], bool]
    rest_seconds: float = 0.09
    inline: bool = False


def measure() -> Part:
    with local_system() as folder:
        contestants = _contestants(folder)
        single = _milliseconds(contestants, 1, ROUNDS)
        ten = _milliseconds({name: contestants[name] for name in _IN_TENS}, 10, ROUNDS_OF_TEN)
    overhead = median(single[OURS]) - median(single[EMPTY])
    title = "from publish to readable"
    return Part(
        tables=(
            table("publish_to_readable", title, "ms", single, EMPTY),
            table("publish_to_readable_p99", f"{title}, p99", "ms", _p99(single), EMPTY),
            table("publish_to_readable_ten", "ten at once, until the last", "ms", ten, EMPTY),
        ),
        targets=(
            _target("publish to readable, relative to invoking an empty handler", single, EMPTY),
            _target("publish to readable, relative to the empty path", single, EMPTY_DELETED),
        ),
        facts={
            "overhead_ms": overhead,
            # The slower the path, the smaller the share of the same overhead.
            "target_met_if_empty_takes_ms": overhead / (_LIMIT - 1),
        },
    )


def _contestants(folder: LocalFolder) -> dict[str, Contestant]:
    outputs = folder.outputs()
    table_name = outputs[StackOutput.TABLE_NAME]
    create_table(_TABLE)
    notes = folder.path / "invocations"
    empty = create_pipeline("do_nothing", {"NOTES": str(notes)})
    variables = {"TABLE": _TABLE}
    put = create_pipeline("put", variables, "dynamodb:PutItem")
    get_and_put = create_pipeline(
        "get_and_put", variables, "dynamodb:PutItem", "s3:GetObject", "s3:GetObjectVersion"
    )
    read = _Readable(table_name)
    # Summaries and events follow each result.
    ours = Contestant(outputs[StackOutput.SUCCESS_TOPIC_ARN], read, rest_seconds=0.2)
    return {
        EMPTY: Contestant(empty.topic_arn, _Invoked(notes, read)),
        EMPTY_DELETED: Contestant(empty.topic_arn, _Deleted(empty.queue_url)),
        PUT: Contestant(put.topic_arn, _Readable(_TABLE)),
        GET_AND_PUT: Contestant(get_and_put.topic_arn, _Readable(_TABLE)),
        OURS: ours,
        OURS_INLINE: Contestant(ours.topic_arn, read, ours.rest_seconds, inline=True),
    }


class _Readable:
    def __init__(self, table_name: str) -> None:
        self._dynamodb = boto3.client("dynamodb")
        self._table_name = table_name

    def __call__(self, ids: Sequence[str]) -> bool:
        """Check the last id first: it usually arrives last."""
        return all(self._exists(each) for each in reversed(ids))

    def _exists(self, inference_id: str) -> bool:
        response = self._dynamodb.get_item(
            TableName=self._table_name,
            Key={
                str(Attribute.INFERENCE_ID): {"S": inference_id},
                str(Attribute.ENDPOINT_NAME): {"S": ENDPOINT},
            },
            ConsistentRead=True,
        )
        return "Item" in response


@dataclass(frozen=True, slots=True)
class _Invoked:
    """Checks the empty handler's notes. The read finds nothing, but takes its time."""

    notes: Path
    read: _Readable

    def __call__(self, ids: Sequence[str]) -> bool:
        invoked = set(ids) <= self._noted()
        self.read(ids)
        return invoked

    def _noted(self) -> set[str]:
        if not self.notes.exists():
            return set()
        # Ten notifications can arrive in up to ten invocations.
        lines = self.notes.read_text().splitlines()[-10:]
        return {each for line in lines for each in json.loads(line)}


class _Deleted:
    def __init__(self, queue_url: str) -> None:
        self._sqs = boto3.client("sqs")
        self._queue_url = queue_url

    def __call__(self, _ids: Sequence[str]) -> bool:
        counts = self._sqs.get_queue_attributes(
            QueueUrl=self._queue_url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )["Attributes"]
        return set(counts.values()) == {"0"}


def _milliseconds(contestants: dict[str, Contestant], count: int, rounds: int) -> Rounds:
    """Measure, in each round, the time until `count` notifications published at once arrive."""
    publish = _Publisher()
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(-_WARMUP_ROUNDS, rounds):
        for name, each in contestants.items():
            milliseconds = 1000 * publish(each, count)
            if number >= 0:
                taken[name].append(milliseconds)
    return taken


class _Publisher:
    """Publishes notifications like SageMaker. All share one output, stored in advance."""

    def __init__(self) -> None:
        self._sns = boto3.client("sns")
        boto3.client("s3").put_object(
            Bucket=OUTPUT_BUCKET, Key=_OUTPUT_KEY, Body=_OUTPUT, ContentType="text/plain"
        )

    def __call__(self, contestant: Contestant, count: int) -> float:
        """Publish `count` notifications and return the seconds until all arrived.

        Raises TimeoutError.
        """
        ids = [str(uuid.uuid4()) for _ in range(count)]
        response = _OUTPUT if contestant.inline else None
        location, now = f"s3://{OUTPUT_BUCKET}/{_OUTPUT_KEY}", datetime.now(UTC)
        messages = [
            message(completed(each, location, input_location=location, ended=now), response)
            for each in ids
        ]
        started = time.monotonic()
        if count == 1:
            self._sns.publish(TopicArn=contestant.topic_arn, Message=messages[0])
        else:
            self._sns.publish_batch(
                TopicArn=contestant.topic_arn,
                PublishBatchRequestEntries=[
                    {"Id": each, "Message": text} for each, text in zip(ids, messages, strict=True)
                ],
            )
        while not contestant.is_readable(ids):
            if time.monotonic() > started + _TIMEOUT_SECONDS:
                raise TimeoutError(
                    f"nothing arrived from {contestant.topic_arn} within {_TIMEOUT_SECONDS:g} s"
                )
        taken = time.monotonic() - started
        time.sleep(contestant.rest_seconds)
        return taken


def _p99(rounds: Rounds) -> Rounds:
    return {
        name: [quantiles(values, n=100, method="inclusive")[98]] for name, values in rounds.items()
    }


def _target(name: str, rounds: Rounds, base: str) -> Target:
    return Target(name, "x", _LIMIT, median(rounds[OURS]) / median(rounds[base]))
