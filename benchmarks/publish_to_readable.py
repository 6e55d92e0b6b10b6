"""Latency from publishing a notification until its record is readable.

Runs on the local system, against the handlers of pipeline_handlers.py, each behind its topic and
queue. The time starts with the publish call and ends with the response to the first strongly
consistent GetItem that returns the item.

The base is an empty handler. It writes no record, so its time ends with the response to the first
GetItem sent after its invocation, as if its work were readable at once. These reads run in a loop
for every contestant.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import boto3

from benchmarks.batches import create_table
from benchmarks.local_system import local_system
from benchmarks.measurements import Part, Rounds, Target, table
from benchmarks.notifications import ENDPOINT, completed, message
from benchmarks.pipelines import create_pipeline
from inference_results.contract import Attribute, StackOutput
from local.deployment import OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import LocalFolder

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

ROUNDS: Final = 60
_WARMUP_ROUNDS: Final = 4

EMPTY: Final = "empty handler, until invoked"
EMPTY_DELETED: Final = "empty handler, until the message is deleted"
GET_AND_PUT: Final = "ranged get_object and put_item"
OURS: Final = "record_result"
OURS_INLINE: Final = "record_result, response in the notification"

_LIMIT: Final = 1.3
_TABLE: Final = "benchmark"
_OUTPUT: Final = b"x" * 1000
_OUTPUT_KEY: Final = f"{OUTPUT_PREFIX}benchmark.out"
_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A topic to publish to. `is_readable` checks once whether an id has arrived.

    After an empty receive, such as the one after an invocation, the embedded AWS polls its queues
    again only after 50 ms. `rest_seconds` waits until it polls continuously.
    """

    topic_arn: str
    is_readable: Callable[[str], bool]
    rest_seconds: float = 0.09
    inline: bool = False


def measure() -> Part:
    with local_system() as folder:
        rounds = _milliseconds(_contestants(folder))
    publish_to_readable = table(
        "publish_to_readable", "from publish to readable", "ms", rounds, EMPTY
    )
    return Part(
        (publish_to_readable,),
        (
            _target("publish to readable, relative to invoking an empty handler", rounds, EMPTY),
            _target("publish to readable, relative to the empty path", rounds, EMPTY_DELETED),
        ),
    )


def _contestants(folder: LocalFolder) -> dict[str, Contestant]:
    outputs = folder.outputs()
    table_name = outputs[StackOutput.TABLE_NAME]
    create_table(_TABLE)
    notes = folder.path / "invocations"
    empty = create_pipeline("do_nothing", {"NOTES": str(notes)})
    get_and_put = create_pipeline("get_and_put", {"TABLE": _TABLE})
    read = _Readable(table_name)
    # Summaries and events follow each result.
    ours = Contestant(outputs[StackOutput.SUCCESS_TOPIC_ARN], read, rest_seconds=0.2)
    return {
        EMPTY: Contestant(empty.topic_arn, _Invoked(notes, read)),
        EMPTY_DELETED: Contestant(empty.topic_arn, _Deleted(empty.queue_url)),
        GET_AND_PUT: Contestant(get_and_put.topic_arn, _Readable(_TABLE)),
        OURS: ours,
        OURS_INLINE: Contestant(ours.topic_arn, read, ours.rest_seconds, inline=True),
    }


class _Readable:
    def __init__(self, table_name: str) -> None:
        self._dynamodb = boto3.client("dynamodb")
        self._table_name = table_name

    def __call__(self, inference_id: str) -> bool:
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

    def __call__(self, inference_id: str) -> bool:
        invoked = self.notes.exists() and inference_id in self.notes.read_text()
        self.read(inference_id)
        return invoked


class _Deleted:
    def __init__(self, queue_url: str) -> None:
        self._sqs = boto3.client("sqs")
        self._queue_url = queue_url

    def __call__(self, _id: str) -> bool:
        counts = self._sqs.get_queue_attributes(
            QueueUrl=self._queue_url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )["Attributes"]
        return set(counts.values()) == {"0"}


def _milliseconds(contestants: dict[str, Contestant]) -> Rounds:
    """Measure, in each round, the time until a published notification is readable."""
    boto3.client("s3").put_object(
        Bucket=OUTPUT_BUCKET, Key=_OUTPUT_KEY, Body=_OUTPUT, ContentType="text/plain"
    )
    sns = boto3.client("sns")
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(-_WARMUP_ROUNDS, ROUNDS):
        for name, each in contestants.items():
            milliseconds = 1000 * _publish(sns, each)
            if number >= 0:
                taken[name].append(milliseconds)
    return taken


def _publish(sns: "SNSClient", contestant: Contestant) -> float:
    """Publish a notification like SageMaker and return the seconds until it is readable.

    All notifications share one output. Raises TimeoutError.
    """
    inference_id = str(uuid.uuid4())
    location, now = f"s3://{OUTPUT_BUCKET}/{_OUTPUT_KEY}", datetime.now(UTC)
    notification = completed(inference_id, location, input_location=location, ended=now)
    text = message(notification, _OUTPUT if contestant.inline else None)
    started = time.monotonic()
    sns.publish(TopicArn=contestant.topic_arn, Message=text)
    while not contestant.is_readable(inference_id):
        if time.monotonic() > started + _TIMEOUT_SECONDS:
            raise TimeoutError(f"{contestant.topic_arn}: not readable in {_TIMEOUT_SECONDS:g} s")
    taken = time.monotonic() - started
    time.sleep(contestant.rest_seconds)
    return taken


def _target(name: str, rounds: Rounds, base: str) -> Target:
    return Target(name, "x", _LIMIT, median(rounds[OURS]) / median(rounds[base]))
