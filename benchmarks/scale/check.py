"""`python -m benchmarks.scale --check` compares the model with a run on the local system.

Results are queued before the function reads them, which makes the batches predictable. The local
system cannot show Lambda's scaling, throttling, partitions or durations.
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
from benchmarks.scale.durations import CPU_MS
from benchmarks.scale.partitions import ids_by_shard
from benchmarks.scale.sample_items import (
    Item,
    completed_notification,
    failed_notification,
    inference_id,
)
from benchmarks.scale.write_profiles import total_write_units, write_profiles
from inference_results.contract import Attribute, Index, Service, StackOutput
from infra.settings import Settings
from local.deployment import OUTPUT_BUCKET, OUTPUT_PREFIX
from local.embedded_aws import NAME
from local.environment import LocalFolder, host_environment

_RESULTS: Final = 500
_BATCH_SIZES: Final = (5, 10)
"""Each takes half of the results. The embedded Lambda gathers at most ten messages."""
_FAILURE_INTERVAL: Final = 20
"""Every 20th result is a failure."""
_OUTPUT: Final = f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX}scale.out"
_PROCESSED: Final = re.compile(r"ESM: Lambda (\S+) processed (\d+) SQS messages")


@dataclass(frozen=True)
class Comparison:
    """A value of the model and of the run. `tolerance` is relative, 0 for exact values."""

    name: str
    model: float
    measured: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return abs(self.measured - self.model) <= self.tolerance * abs(self.model)


def check() -> list[Comparison]:
    """Start a local system and compare. Raises StartError or DeployError."""
    cpu_time = _compare_cpu_time()  # first, while the machine is idle
    with local_system() as folder:
        outputs = folder.outputs()
        boto3.client("s3").put_object(
            Bucket=OUTPUT_BUCKET, Key=f"{OUTPUT_PREFIX}scale.out", Body=b"x" * 2048
        )
        comparisons = _compare_batches(folder, outputs)
        comparisons += _compare_writes(outputs)
    return comparisons + cpu_time


def _notification(number: int) -> dict[str, Any]:
    """Build a notification of today: old summaries expire."""
    ended = datetime.now(UTC)
    if number % _FAILURE_INTERVAL == 0:
        return failed_notification(number, ENDPOINT, ended)
    notification = completed_notification(number, ENDPOINT, ended)
    notification["responseParameters"]["outputLocation"] = _OUTPUT
    return notification


def _compare_batches(folder: LocalFolder, outputs: dict[str, str]) -> list[Comparison]:
    """Compare the number of invocations and of their messages."""
    log = folder.path / f"{NAME}.log"
    queue_url = outputs[StackOutput.COMPLETED_QUEUE_URL]
    mapping, function = _mapping(queue_url)
    # Failures on a busy machine return after ten seconds instead of three minutes.
    boto3.client("sqs").set_queue_attributes(
        QueueUrl=queue_url, Attributes={"VisibilityTimeout": "10"}
    )
    comparisons = []
    count = _RESULTS // len(_BATCH_SIZES)
    for at, size in enumerate(_BATCH_SIZES):
        _update(
            mapping,
            BatchSize=size,
            # More concurrent cold starts would overload a small machine.
            ScalingConfig={"MaximumConcurrency": 2},
            Enabled=False,
        )
        _publish(outputs[StackOutput.SUCCESS_TOPIC_ARN], range(at * count, (at + 1) * count))
        eventually(lambda: _queued(queue_url) == count)
        log_size = len(log.read_text())
        _update(mapping, Enabled=True)
        batches = _await_batches(log, log_size, function, count)
        name = f"{count} queued results, batch_size {size}"
        # Not exact: test notifications of new endpoints can be among them.
        comparisons += [
            Comparison(f"{name}: invocations", math.ceil(count / size), len(batches), 0.1),
            Comparison(f"{name}: messages", count, sum(batches), 0.1),
        ]
    return comparisons


def _await_batches(log: Path, offset: int, function: str, messages: int) -> list[int]:
    eventually(lambda: sum(_processed(log, offset, function)) >= messages)
    return _processed(log, offset, function)


def _processed(log: Path, offset: int, function: str) -> list[int]:
    """Return the number of messages of each invocation that was logged after an offset."""
    text = log.read_text()[offset:]
    return [int(number) for name, number in _PROCESSED.findall(text) if name == function]


def _mapping(queue_url: str) -> tuple[str, str]:
    """Return the id of the mapping that reads a queue, and the function's name."""
    queue_name = queue_url.rpartition("/")[2]
    (mapping,) = [
        each
        for each in boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        if each["EventSourceArn"].endswith(f":{queue_name}")
    ]
    return mapping["UUID"], mapping["FunctionArn"].split(":")[6]


def _update(mapping: str, **settings: Any) -> None:
    boto3.client("lambda").update_event_source_mapping(UUID=mapping, **settings)


def _publish(topic_arn: str, numbers: range) -> None:
    sns = boto3.client("sns")
    for start in range(numbers.start, numbers.stop, 10):
        response = sns.publish_batch(
            TopicArn=topic_arn,
            PublishBatchRequestEntries=[
                {"Id": str(at), "Message": json.dumps(_notification(at))}
                for at in range(start, min(start + 10, numbers.stop))
            ],
        )
        assert not response["Failed"]


def _queued(queue_url: str) -> int:
    name: Final = "ApproximateNumberOfMessages"
    response = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
    return int(response["Attributes"][name])


def _compare_writes(outputs: dict[str, str]) -> list[Comparison]:
    """Compare the items, their write units, and the keys of the indexes."""
    table_name = outputs[StackOutput.TABLE_NAME]
    items = _scan(table_name)
    comparisons = [Comparison("records", _RESULTS, len(items), 0)]
    completed = [it for it in items if it[Attribute.STATUS]["S"] == "Completed"]
    failed = [it for it in items if it[Attribute.STATUS]["S"] == "Failed"]
    profiles = write_profiles()
    for name, some in (("completed", completed), ("failed", failed)):
        units = Counter[str]()
        for item in some:
            units.update(total_write_units([item]))
        for target, model in profiles[name].units.items():
            label = f"write units of a {name} result: {target}"
            comparisons.append(Comparison(label, model, units[target] / len(some), 0))
        size = _bytes(some) / len(some)
        model_size = item_bytes(profiles[name].items[0])
        comparisons.append(Comparison(f"bytes of a {name} record", model_size, size, 0.15))
    comparisons.append(_compare_summaries(outputs, len(items)))
    return comparisons + _compare_keys(table_name, items)


def _compare_summaries(outputs: dict[str, str], number: int) -> Comparison:
    """Each result must be one change in the stream, or summaries would miss it or count twice."""
    name = outputs[StackOutput.SUMMARIES_TABLE_NAME]

    def counted() -> int:
        items = boto3.client("dynamodb").scan(TableName=name)["Items"]
        return sum(
            int(value["N"])
            for item in items
            if item[Attribute.ENDPOINT_NAME]["S"] == ENDPOINT
            for counter, value in item.items()
            if counter.startswith("status#")
        )

    eventually(lambda: counted() >= number)
    return Comparison("results in the summaries", number, counted(), 0)


def _compare_keys(table_name: str, items: list[Item]) -> list[Comparison]:
    """Compare the entries per index key, queried from the index, with the count by id."""
    shards = Settings.model_fields["shards"].default
    model = ids_by_shard((inference_id(at) for at in range(_RESULTS)), shards)
    entries = {shard: _entries(table_name, f"{shard}#{ENDPOINT}") for shard in range(shards)}
    comparisons = [
        Comparison(f"entries of by-endpoint, shard {shard}", model[shard], entries[shard], 0)
        for shard in range(shards)
    ]
    largest = max(entries.values()) / len(items)
    comparisons.append(Comparison("share of the largest shard", 1 / shards, largest, 0.2))
    for index in indexes():
        expected = [each for item in items if (each := index.entry(item))]
        stored = _scan(table_name, IndexName=index.name)
        comparisons += [
            Comparison(f"entries of {index.name}", len(expected), len(stored), 0),
            Comparison(f"bytes of {index.name}", _bytes(expected), _bytes(stored), 0),
        ]
    return comparisons


def _bytes(items: list[Item]) -> int:
    return sum(map(item_bytes, items))


def _scan(table_name: str, **index: Any) -> list[Item]:
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


def _compare_cpu_time() -> list[Comparison]:
    """Allow 100 %, because machines differ. Beyond that, measure `durations.CPU_MS` again."""
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale.cpu_time"],
        env=host_environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    measured: dict[str, float] = json.loads(process.stdout)
    return [
        Comparison(f"CPU ms per result: {name}", CPU_MS[Service(name)], cpu_ms, 1)
        for name, cpu_ms in measured.items()
    ]
