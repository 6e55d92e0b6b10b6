"""`python -m benchmarks.scale --check`: the model's arithmetic against a run on the local system.

Results wait in the queue before the function may read them, so that the batches can be foretold.
What cannot be seen there: Lambda's scaling, throttling, partitions, durations.
"""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3

from benchmarks.dynamodb_units import item_bytes
from benchmarks.local_system import eventually, local_system
from benchmarks.notifications import ENDPOINT
from benchmarks.reviewed_template import indexes
from benchmarks.scale.calls import PROCESSOR_MS
from benchmarks.scale.kinds import kinds, written
from benchmarks.scale.partitions import shares
from benchmarks.scale.results import Item, completed_event, failed_event, inference_id
from inference_results.contract import Attribute, Index, Service, StackOutput
from infra.settings import Settings
from local.deployment import OUTPUT_BUCKET, OUTPUT_PREFIX
from local.embedded_aws import NAME
from local.environment import LocalFolder, host_environment

_RESULTS: Final = 500
_BATCHES: Final = (5, 10)
"""Sizes; each takes half of the results. The embedded Lambda gathers no more than ten."""
_FAILED_EVERY: Final = 20
_OUTPUT: Final = f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX}scale.out"
_HANDED_OVER: Final = re.compile(r"ESM: Lambda (\S+) processed (\d+) SQS messages")


@dataclass(frozen=True)
class Compared:
    """`tolerance` is relative: 0 where the model is to be exact."""

    what: str
    model: float
    measured: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return abs(self.measured - self.model) <= self.tolerance * abs(self.model)


def check() -> list[Compared]:
    """Against a local system of its own. Raises StartError or DeployError."""
    processor = _processor()  # while nothing else takes of the machine
    with local_system() as folder:
        outputs = folder.outputs()
        boto3.client("s3").put_object(
            Bucket=OUTPUT_BUCKET, Key=f"{OUTPUT_PREFIX}scale.out", Body=b"x" * 2048
        )
        compared = _batches(folder, outputs)
        compared += _writes(outputs)
    return compared + processor


def _event(number: int) -> dict[str, Any]:
    """Of today: summaries of long ago have expired."""
    ended = datetime.now(UTC)
    if number % _FAILED_EVERY == 0:
        return failed_event(number, ENDPOINT, ended)
    event = completed_event(number, ENDPOINT, ended)
    event["responseParameters"]["outputLocation"] = _OUTPUT
    return event


def _batches(folder: LocalFolder, outputs: dict[str, str]) -> list[Compared]:
    """How many calls it takes, and how full they are."""
    log = folder.path / f"{NAME}.log"
    queue_url = outputs[StackOutput.COMPLETED_QUEUE_URL]
    mapping, function = _mapping(queue_url)
    # What fails on a busy machine comes again sooner than after three minutes.
    boto3.client("sqs").set_queue_attributes(
        QueueUrl=queue_url, Attributes={"VisibilityTimeout": "10"}
    )
    compared = []
    each = _RESULTS // len(_BATCHES)
    for at, size in enumerate(_BATCHES):
        _change(
            mapping,
            BatchSize=size,
            # More of them, all cold, are too much for a small machine.
            ScalingConfig={"MaximumConcurrency": 2},
            Enabled=False,
        )
        _publish(outputs[StackOutput.SUCCESS_TOPIC_ARN], range(at * each, (at + 1) * each))
        eventually(lambda: _waiting(queue_url) == each)
        seen = len(log.read_text())
        _change(mapping, Enabled=True)
        batches = _all_handed_over(log, seen, function, each)
        name = f"{each} results that wait, batch_size {size}"
        # Not exactly: notices of the endpoints that came up may be among them.
        compared += [
            Compared(f"{name}: calls", math.ceil(each / size), len(batches), 0.1),
            Compared(f"{name}: messages in them", each, sum(batches), 0.1),
        ]
    return compared


def _all_handed_over(log: Path, seen: int, function: str, messages: int) -> list[int]:
    eventually(lambda: sum(_handed_over(log, seen, function)) >= messages)
    return _handed_over(log, seen, function)


def _handed_over(log: Path, seen: int, function: str) -> list[int]:
    """How many messages each call was given, since the log had so many characters."""
    lines = log.read_text()[seen:]
    return [int(number) for name, number in _HANDED_OVER.findall(lines) if name == function]


def _mapping(queue_url: str) -> tuple[str, str]:
    """The id of the mapping that reads a queue, and the name of the function."""
    queue_name = queue_url.rpartition("/")[2]
    (found,) = [
        each
        for each in boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        if each["EventSourceArn"].endswith(f":{queue_name}")
    ]
    return found["UUID"], found["FunctionArn"].split(":")[6]


def _change(mapping: str, **settings: Any) -> None:
    boto3.client("lambda").update_event_source_mapping(UUID=mapping, **settings)


def _publish(topic_arn: str, numbers: range) -> None:
    sns = boto3.client("sns")
    for start in range(numbers.start, numbers.stop, 10):
        answer = sns.publish_batch(
            TopicArn=topic_arn,
            PublishBatchRequestEntries=[
                {"Id": str(at), "Message": json.dumps(_event(at))}
                for at in range(start, min(start + 10, numbers.stop))
            ],
        )
        assert not answer["Failed"]


def _waiting(queue_url: str) -> int:
    name: Final = "ApproximateNumberOfMessages"
    answer = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def _writes(outputs: dict[str, str]) -> list[Compared]:
    """What was written, and under which keys."""
    table_name = outputs[StackOutput.TABLE_NAME]
    items = _all_items(table_name)
    compared = [Compared("records", _RESULTS, len(items), 0)]
    completed = [it for it in items if it[Attribute.STATUS]["S"] == "Completed"]
    failed = [it for it in items if it[Attribute.STATUS]["S"] == "Failed"]
    typical = kinds()
    for name, some in (("completed", completed), ("failed", failed)):
        units = Counter[str]()
        for item in some:
            units.update(written([item]))
        for of in typical[name].units:
            each = units[of] / len(some)
            model = typical[name].units[of]
            compared.append(Compared(f"write units of a {name} one: {of}", model, each, 0))
        size = _bytes(some) / len(some)
        model_size = item_bytes(typical[name].items[0])
        compared.append(Compared(f"bytes of a {name} one", model_size, size, 0.15))
    compared.append(_changes(outputs, len(items)))
    return compared + _keys(table_name, items)


def _changes(outputs: dict[str, str], number: int) -> Compared:
    """Each result is one change in the stream, or it would count in no summary, or twice."""
    name = outputs[StackOutput.SUMMARIES_TABLE_NAME]

    def counted() -> int:
        found = boto3.client("dynamodb").scan(TableName=name)["Items"]
        return sum(
            int(value["N"])
            for item in found
            if item[Attribute.ENDPOINT_NAME]["S"] == ENDPOINT
            for counter, value in item.items()
            if counter.startswith("status#")
        )

    eventually(lambda: counted() >= number)
    return Compared("results in the summaries", number, counted(), 0)


def _keys(table_name: str, items: list[Item]) -> list[Compared]:
    """How many entries each key of an index has: asked of the index, and counted over the ids."""
    shards = Settings.model_fields["shards"].default
    model = shares((inference_id(at) for at in range(_RESULTS)), shards)
    asked = {shard: _entries(table_name, f"{shard}#{ENDPOINT}") for shard in range(shards)}
    found = [
        Compared(f"entries of by-endpoint, shard {shard}", model[shard], asked[shard], 0)
        for shard in range(shards)
    ]
    fullest = max(asked.values()) / len(items)
    found.append(Compared("part of the fullest shard", 1 / shards, fullest, 0.2))
    for index in indexes():
        entries = [each for item in items if (each := index.entry(item))]
        stored = _all_items(table_name, IndexName=index.name)
        found += [
            Compared(f"entries of {index.name}", len(entries), len(stored), 0),
            Compared(f"bytes of {index.name}", _bytes(entries), _bytes(stored), 0),
        ]
    return found


def _bytes(items: list[Item]) -> int:
    return sum(map(item_bytes, items))


def _all_items(table_name: str, **index: Any) -> list[Item]:
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table_name, **index)
    return [item for page in pages for item in page["Items"]]


def _entries(table_name: str, key: str) -> int:
    return boto3.client("dynamodb").query(
        TableName=table_name,
        IndexName=Index.BY_ENDPOINT,
        Select="COUNT",
        KeyConditionExpression=f"{Attribute.ENDPOINT_SHARD} = :key",
        ExpressionAttributeValues={":key": {"S": key}},
    )["Count"]


def _processor() -> list[Compared]:
    """Wide, since machines differ; beyond it `calls.PROCESSOR_MS` is to be measured anew."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale.processor"],
        env=host_environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return [
        Compared(f"processor, ms for a result: {name}", PROCESSOR_MS[Service(name)], took, 1)
        for name, took in measured.items()
    ]
