"""From publish to readable: how long after SageMaker publishes is the record there?

On the local system, against handlers of path_handlers.py, each behind a topic and a queue of its
own. The time begins with the call that publishes and ends with the answer of the first strongly
consistent GetItem that shows the item.

The base is a handler that does nothing. Nothing can be read of it, so its time ends with the answer
of the first GetItem that was sent after it was invoked: as if what it did were readable at once.
Whoever is measured, such reads go on meanwhile, one after the other.
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
from benchmarks.measured import Part, Rounds, Target, table
from benchmarks.notifications import ENDPOINT, completed, message
from benchmarks.paths import create_path
from inference_results.contract import Attribute, StackOutput
from local.deployment import OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import LocalFolder

ROUNDS: Final = 60
ROUNDS_OF_TEN: Final = 20
_WARMING_ROUNDS: Final = 4

EMPTY: Final = "a handler that does nothing, invoked"
EMPTY_ENDED: Final = "the same, its message deleted"
PUT: Final = "one put_item"
TWO_CALLS: Final = "ranged get_object and put_item"
OURS: Final = "record_result"
OURS_INLINE: Final = "record_result, response in the notification"

_TEN: Final = (EMPTY, EMPTY_ENDED, TWO_CALLS, OURS)
_LIMIT: Final = 1.3
_TABLE: Final = "benchmark"
_OUTPUT: Final = b"x" * 1000
_OUTPUT_KEY: Final = f"{OUTPUT_PREFIX}benchmark.out"
_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """`is_there` asks once whether what was published under these ids has arrived.

    `rest_seconds`: until the embedded AWS looks at its queues as soon as there is something. After
    a look that found nothing, such as that after an invocation, it takes no other for 50 ms.
    """

    topic_arn: str
    is_there: Callable[[Sequence[str]], bool]
    rest_seconds: float = 0.09
    inline: bool = False


def measure() -> Part:
    with local_system() as folder:
        contestants = _contestants(folder)
        single = _milliseconds(contestants, 1, ROUNDS)
        ten = _milliseconds({name: contestants[name] for name in _TEN}, 10, ROUNDS_OF_TEN)
    more = median(single[OURS]) - median(single[EMPTY])
    return Part(
        tables=(
            table("readable", "from publish to readable", "ms", single, EMPTY),
            table("readable_p99", "from publish to readable, p99", "ms", _p99(single), EMPTY),
            table("readable_ten", "ten at once, the last of them", "ms", ten, EMPTY),
        ),
        targets=(
            _target("publish to readable, to the invocation of an empty handler", single, EMPTY),
            _target("publish to readable, to the end of the empty path", single, EMPTY_ENDED),
        ),
        facts={
            "more_than_empty_ms": more,
            # On a path that takes longer than this one, the same is a smaller part of it.
            "met_where_empty_takes_ms": more / (_LIMIT - 1),
        },
    )


def _contestants(folder: LocalFolder) -> dict[str, Contestant]:
    outputs = folder.outputs()
    table_name = outputs[StackOutput.TABLE_NAME]
    create_table(_TABLE)
    notes = folder.path / "invocations"
    empty = create_path("do_nothing", {"NOTES": str(notes)})
    bare = {"TABLE": _TABLE}
    put = create_path("put", bare, "dynamodb:PutItem")
    two_calls = create_path(
        "get_and_put", bare, "dynamodb:PutItem", "s3:GetObject", "s3:GetObjectVersion"
    )
    read = _Read(table_name)
    # Summaries and announcements follow.
    ours = Contestant(outputs[StackOutput.SUCCESS_TOPIC_ARN], read, rest_seconds=0.2)
    return {
        EMPTY: Contestant(empty.topic_arn, _Invoked(notes, read)),
        EMPTY_ENDED: Contestant(empty.topic_arn, _Deleted(empty.queue_url)),
        PUT: Contestant(put.topic_arn, _Read(_TABLE)),
        TWO_CALLS: Contestant(two_calls.topic_arn, _Read(_TABLE)),
        OURS: ours,
        OURS_INLINE: Contestant(ours.topic_arn, read, ours.rest_seconds, inline=True),
    }


class _Read:
    def __init__(self, table_name: str) -> None:
        self._dynamodb = boto3.client("dynamodb")
        self._table_name = table_name

    def __call__(self, ids: Sequence[str]) -> bool:
        """The last of them first: the others have mostly come before."""
        return all(self._is_there(each) for each in reversed(ids))

    def _is_there(self, inference_id: str) -> bool:
        answer = self._dynamodb.get_item(
            TableName=self._table_name,
            Key={
                str(Attribute.INFERENCE_ID): {"S": inference_id},
                str(Attribute.ENDPOINT_NAME): {"S": ENDPOINT},
            },
            ConsistentRead=True,
        )
        return "Item" in answer


@dataclass(frozen=True, slots=True)
class _Invoked:
    """By the notes of the handler; the read finds nothing, and takes its time."""

    notes: Path
    read: _Read

    def __call__(self, ids: Sequence[str]) -> bool:
        invoked = set(ids) <= self._noted()
        self.read(ids)
        return invoked

    def _noted(self) -> set[str]:
        if not self.notes.exists():
            return set()
        # The last ones: a notification of ten may come in as many invocations.
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
    """Of so many notifications at once, until all of them have arrived."""
    publish = _Publisher()
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(-_WARMING_ROUNDS, rounds):
        for name, each in contestants.items():
            milliseconds = 1000 * publish(each, count)
            if number >= 0:
                taken[name].append(milliseconds)
    return taken


class _Publisher:
    """Publishes as SageMaker does; the output of all lies there already."""

    def __init__(self) -> None:
        self._sns = boto3.client("sns")
        boto3.client("s3").put_object(
            Bucket=OUTPUT_BUCKET, Key=_OUTPUT_KEY, Body=_OUTPUT, ContentType="text/plain"
        )

    def __call__(self, contestant: Contestant, count: int) -> float:
        """Seconds until all have arrived. Raises TimeoutError."""
        ids = [str(uuid.uuid4()) for _ in range(count)]
        response = _OUTPUT if contestant.inline else None
        place, now = f"s3://{OUTPUT_BUCKET}/{_OUTPUT_KEY}", datetime.now(UTC)
        messages = [
            message(completed(each, place, input_location=place, ended=now), response)
            for each in ids
        ]
        began = time.monotonic()
        if count == 1:
            self._sns.publish(TopicArn=contestant.topic_arn, Message=messages[0])
        else:
            self._sns.publish_batch(
                TopicArn=contestant.topic_arn,
                PublishBatchRequestEntries=[
                    {"Id": each, "Message": text} for each, text in zip(ids, messages, strict=True)
                ],
            )
        while not contestant.is_there(ids):
            if time.monotonic() > began + _PATIENCE_SECONDS:
                raise TimeoutError(f"nothing arrived from {contestant.topic_arn}")
        taken = time.monotonic() - began
        time.sleep(contestant.rest_seconds)
        return taken


def _p99(rounds: Rounds) -> Rounds:
    return {
        name: [quantiles(values, n=100, method="inclusive")[98]] for name, values in rounds.items()
    }


def _target(name: str, rounds: Rounds, base: str) -> Target:
    return Target(name, "x", _LIMIT, median(rounds[OURS]) / median(rounds[base]))
