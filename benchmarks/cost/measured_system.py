"""Send results through the deployed system in each variant and measure their usage."""

import json
import math
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3

from benchmarks.batches import sqs_record
from benchmarks.cost.counting_proxy import CountingProxy
from benchmarks.cost.deployed_functions import Function, deployed_functions
from benchmarks.cost.invocations import READS, Invocations, other_calls, sqs_requests, writes
from benchmarks.cost.prices import Item
from benchmarks.cost.usage import Amounts, Part, Usage, by_part, total
from benchmarks.dynamodb_units import TABLE, indexes_of, item_bytes, write_units
from benchmarks.notifications import ENDPOINT, completed, message
from inference_results.contract import Service, StackOutput
from local.api_client import ApiClient
from local.deployment import FAILURE_PREFIX, INPUT_PREFIX, OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import SUBMITTER_ROLE, LocalFolder

_CONCURRENT_REQUESTS: Final = 2
"""No more than the machine has CPUs."""


@dataclass(frozen=True)
class Variant:
    """A kind of results. `inline_response` means IncludeInferenceResponseIn."""

    output_bytes: int
    registered: bool = False
    published: bool = False
    inline_response: bool = False


@dataclass(frozen=True)
class SentResult:
    """An inference whose output is in S3, and its notification in JSON."""

    inference_id: str
    output_location: str
    notification: str


class MeasuredSystem:
    """The deployed system. Its functions go through the proxy and run only when measured."""

    def __init__(self, folder: LocalFolder, proxy: CountingProxy) -> None:
        self.outputs = folder.outputs()
        self.functions: dict[Service, Function] = deployed_functions(folder, proxy)
        self._dynamodb = boto3.client("dynamodb")
        name = self.outputs[StackOutput.TABLE_NAME]
        table = self._dynamodb.describe_table(TableName=name)["Table"]
        self.indexes = indexes_of(table)
        self._stream = _read_stream_from_start(table["LatestStreamArn"])
        list(self._new_changes())
        self.ended_id = ""
        """The id of an inference of the last run."""

    def run(self, variant: Variant, batch: int, number: int) -> Usage:
        """Send this number of results in full batches.

        Changes that a run does not publish are published by the next run that publishes.
        """
        results = self._create_results(variant, number)
        self.ended_id = results[0].inference_id
        parts: dict[Part, Amounts] = {}
        if variant.registered:
            parts[Part.REGISTRATION] = self._register(results)
        parts |= by_part(self._record(results, batch))
        changes = number * (2 if variant.registered else 1)
        parts[Part.SUMMARIES] = self._summarize(changes, batch)
        if variant.published:
            parts[Part.EVENTS] = self._publish_events(changes, batch)
        return Usage(number, parts)

    def register_one(self) -> str:
        """Register an inference that stays in progress, and return its id."""
        results = self._create_results(Variant(0), 1)
        self._register(results)
        return results[0].inference_id

    def _create_results(self, variant: Variant, number: int) -> list[SentResult]:
        """Create results that share one output object: only their requests count."""
        key = f"{OUTPUT_PREFIX}{uuid.uuid4()}.out"
        output = json.dumps({"text": "good morning"}).encode().ljust(variant.output_bytes)
        boto3.client("s3").put_object(
            Bucket=OUTPUT_BUCKET, Key=key, Body=output, ContentType="application/json"
        )
        location = f"s3://{OUTPUT_BUCKET}/{key}"
        response = output if variant.inline_response else None
        results = []
        for at in range(number):
            inference_id = str(uuid.uuid4())
            # From one second to ten minutes: different latency buckets of the summary.
            took = timedelta(seconds=600 ** (at / number))
            notification = completed(
                inference_id,
                location,
                input_location=f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}{uuid.uuid4()}",
                ended=datetime.now(UTC),
                took=took,
            )
            results.append(SentResult(inference_id, location, message(notification, response)))
        return results

    def _register(self, results: list[SentResult]) -> Amounts:
        """Register the results over the HTTP API before they arrive."""
        api = ApiClient(self.outputs[StackOutput.API_URL], SUBMITTER_ROLE)

        def register(result: SentResult) -> None:
            failure = result.output_location.replace(OUTPUT_PREFIX, FAILURE_PREFIX)
            body = {
                "endpoint": ENDPOINT,
                "submitted_at": (datetime.now(UTC) - timedelta(minutes=2)).isoformat(),
                "output_location": result.output_location,
                "failure_location": failure,
            }
            api.request(f"inferences/{result.inference_id}", "PUT", json=body).raise_for_status()

        def register_all() -> None:
            with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
                list(pool.map(register, results))

        used = self.functions[Service.SUBMISSION_API].measure(register_all, len(results))
        api.close()
        requests = {Item.HTTP_API_REQUEST: len(results)}
        return total([requests, used.amounts(), self._table_units(used), other_calls(used)])

    def _record(self, results: list[SentResult], batch: int) -> Amounts:
        """Invoke record_result with full batches. The embedded AWS has batches of ten at most."""
        recorder = self.functions[Service.RECORD_RESULT]
        records = [sqs_record(each.inference_id, each.notification) for each in results]
        batches = [records[at : at + batch] for at in range(0, len(records), batch)]

        def invoke_all() -> None:
            for each in batches:
                response = recorder.invoke({"Records": each})
                if response["batchItemFailures"]:
                    raise ValueError(f"messages returned: {response['batchItemFailures']}")

        used = recorder.measure(invoke_all, len(batches))
        requests = sum(sqs_requests([it["body"] for it in each]) for each in batches)
        queue = {Item.SNS_PUBLISH: len(results), Item.SQS_REQUEST: requests}
        return total([queue, used.amounts(), self._table_units(used), other_calls(used)])

    def _summarize(self, changes: int, batch: int) -> Amounts:
        used = self._process_stream(Service.SUMMARIZE, changes, batch)
        table = self.outputs[StackOutput.SUMMARIES_TABLE_NAME]
        items = self._dynamodb.scan(TableName=table)["Items"]
        largest = max(map(item_bytes, items))
        units = writes(used) * max(1, math.ceil(largest / 1024))
        return total([used.amounts(), {Item.WRITE_UNIT: units}, other_calls(used)])

    def _publish_events(self, changes: int, batch: int) -> Amounts:
        used = self._process_stream(Service.PUBLISH_EVENTS, changes, batch)
        events = {Item.EVENT: changes}  # one for each change of status
        return total([used.amounts(), events, other_calls(used)])

    def _process_stream(self, service: Service, changes: int, batch: int) -> Invocations:
        function = self.functions[service]
        used = function.measure(
            lambda: function.enable_mapping(True, BatchSize=batch), math.ceil(changes / batch)
        )
        function.enable_mapping(False)
        return used

    def _table_units(self, used: Invocations) -> Amounts:
        """Return the units of the new changes in the stream.

        A failed condition costs as many units as the item's write. Reads count as consistent reads
        of an item of at most 4 KB.
        """
        units = [
            write_units(each.get("OldImage"), each.get("NewImage"), self.indexes)
            for each in self._new_changes()
        ]
        failed_conditions = writes(used) - len(units)
        if failed_conditions < 0:
            raise ValueError(f"{-failed_conditions} changes come from writes that were not counted")
        written = sum(sum(each.values()) for each in units)
        written += failed_conditions * max(each[TABLE] for each in units)
        reads = sum(used.calls["dynamodb", each] for each in READS)
        return {Item.WRITE_UNIT: written, Item.READ_UNIT: reads}

    def _new_changes(self) -> Iterator[Any]:
        """Read the changes since the last call."""
        while records := next(self._stream):
            yield from (each["dynamodb"] for each in records)


def _read_stream_from_start(arn: str) -> Iterator[list[Any]]:
    client = boto3.client("dynamodbstreams")
    (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while True:
        response = client.get_records(ShardIterator=iterator)
        iterator = response["NextShardIterator"]
        yield response["Records"]
