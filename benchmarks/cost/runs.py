"""Results sent through the deployed system, in every variant, and what they used."""

import json
import math
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3

from benchmarks.cost.counting_proxy import CountingProxy
from benchmarks.cost.deployed import Function, deployed_functions
from benchmarks.cost.invocations import READS, Invocations, other_calls, writes
from benchmarks.cost.poller import Poller
from benchmarks.cost.prices import Item
from benchmarks.cost.twin import Twin
from benchmarks.cost.usage import Amounts, Part, Usage, by_part, together
from benchmarks.dynamodb_units import TABLE, indexes_of, item_bytes, write_units
from benchmarks.notifications import ENDPOINT, completed, message
from inference_results.contract import Service, StackOutput
from local.api_client import StatusApi
from local.deployment import FAILURE_PREFIX, INPUT_PREFIX, OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import SUBMITTER_ROLE, LocalFolder

_REQUESTS_AT_A_TIME: Final = 2
"""As many as the machine has processors, or more."""


@dataclass(frozen=True)
class Variant:
    """How results come. `response_in_notice`: IncludeInferenceResponseIn."""

    output_bytes: int
    registered: bool = False
    announced: bool = False
    response_in_notice: bool = False


@dataclass(frozen=True)
class Run:
    """What results used, in batches of so many, and how large a record was in the end."""

    batch: int
    usage: Usage
    record_bytes: int


@dataclass(frozen=True)
class Result:
    """An inference whose output is in S3, and the notice of its end."""

    inference_id: str
    output_location: str
    notice: str


class Stage:
    """The deployed system, its functions led through the proxy and idle."""

    def __init__(self, folder: LocalFolder, proxy: CountingProxy) -> None:
        self.outputs = folder.outputs()
        self.functions: dict[Service, Function] = deployed_functions(folder, proxy)
        self._dynamodb = boto3.client("dynamodb")
        name = self.outputs[StackOutput.TABLE_NAME]
        table = self._dynamodb.describe_table(TableName=name)["Table"]
        self.indexes = indexes_of(table)
        self._twin = Twin(self._dynamodb, table)
        self._stream = _stream_from_the_beginning(table["LatestStreamArn"])
        list(self._changes())
        self.ended_id = ""
        """Of a result that was sent last."""

    def run(self, variant: Variant, batch: int, number: int) -> Run:
        """Send so many results, in full batches.

        What is not announced when it is sent is told with the next that is.
        """
        results = self._results(variant, number)
        self.ended_id = results[0].inference_id
        parts: dict[Part, Amounts] = {}
        if variant.registered:
            parts[Part.REGISTRATION] = self._register(results)
        recorded, record_bytes = self._record(results, batch)
        parts |= by_part(recorded)
        changes = number * (2 if variant.registered else 1)
        parts[Part.SUMMARIES] = self._summarize(changes, batch)
        if variant.announced:
            parts[Part.EVENTS] = self._announce(changes, batch)
        return Run(batch, Usage(number, parts), record_bytes)

    def _results(self, variant: Variant, number: int) -> list[Result]:
        """All have the same output: it is their requests that count."""
        key = f"{OUTPUT_PREFIX}{uuid.uuid4()}.out"
        output = json.dumps({"text": "good morning"}).encode().ljust(variant.output_bytes)
        boto3.client("s3").put_object(
            Bucket=OUTPUT_BUCKET, Key=key, Body=output, ContentType="application/json"
        )
        location = f"s3://{OUTPUT_BUCKET}/{key}"
        response = output if variant.response_in_notice else None
        results = []
        for at in range(number):
            inference_id = str(uuid.uuid4())
            # From a second to ten minutes: each takes a counter of its own in the summary.
            took = timedelta(seconds=600 ** (at / number))
            notice = completed(
                inference_id,
                location,
                input_location=f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}{uuid.uuid4()}",
                ended=datetime.now(UTC),
                took=took,
            )
            results.append(Result(inference_id, location, message(notice, response)))
        return results

    def registered_id(self) -> str:
        """Of an inference that goes on."""
        results = self._results(Variant(0), 1)
        self._register(results)
        return results[0].inference_id

    def _register(self, results: list[Result]) -> Amounts:
        """Over the HTTP API, before the results come."""
        api = StatusApi(self.outputs[StackOutput.API_URL], SUBMITTER_ROLE)

        def register(result: Result) -> None:
            failure = result.output_location.replace(OUTPUT_PREFIX, FAILURE_PREFIX)
            told = {
                "endpoint": ENDPOINT,
                "submitted_at": (datetime.now(UTC) - timedelta(minutes=2)).isoformat(),
                "output_location": result.output_location,
                "failure_location": failure,
            }
            api.ask(f"inferences/{result.inference_id}", "PUT", json=told).raise_for_status()

        def register_all() -> None:
            with ThreadPoolExecutor(_REQUESTS_AT_A_TIME) as pool:
                list(pool.map(register, results))

        used = self.functions[Service.SUBMISSION_API].during(register_all, len(results))
        api.close()
        requests = {Item.HTTP_API_REQUEST: len(results)}
        units, _ = self._table_units(used)
        return together([requests, used.amounts(), units, other_calls(used)])

    def _record(self, results: list[Result], batch: int) -> tuple[Amounts, int]:
        recorder = self.functions[Service.RECORD_RESULT]
        # Ahead, so that batches are full.
        self._publish(results)
        poller = Poller(self.outputs[StackOutput.COMPLETED_QUEUE_URL], recorder)
        used = recorder.during(lambda: poller.empty(batch), math.ceil(len(results) / batch))
        queue = {Item.SNS_PUBLISH: len(results), Item.SQS_REQUEST: poller.requests}
        units, record_bytes = self._table_units(used)
        return together([queue, used.amounts(), units, other_calls(used)]), record_bytes

    def _publish(self, results: list[Result]) -> None:
        """Ten in a call, for speed; SageMaker publishes each by itself, and so it is counted."""
        sns = boto3.client("sns")
        for start in range(0, len(results), 10):
            entries: Any = [
                {"Id": str(at), "Message": each.notice}
                for at, each in enumerate(results[start : start + 10])
            ]
            topic = self.outputs[StackOutput.SUCCESS_TOPIC_ARN]
            answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
            assert not answer.get("Failed"), answer["Failed"]

    def _summarize(self, changes: int, batch: int) -> Amounts:
        used = self._read_stream(Service.SUMMARIZE, changes, batch)
        table = self.outputs[StackOutput.SUMMARIES_TABLE_NAME]
        items = self._dynamodb.scan(TableName=table)["Items"]
        largest = max(map(item_bytes, items))
        units = writes(used) * max(1, math.ceil(largest / 1024))
        return together([used.amounts(), {Item.WRITE_UNIT: units}, other_calls(used)])

    def _announce(self, changes: int, batch: int) -> Amounts:
        used = self._read_stream(Service.PUBLISH_EVENTS, changes, batch)
        events = {Item.EVENT: used.entries["events", "PutEvents"]}
        return together([used.amounts(), events, other_calls(used)])

    def _read_stream(self, service: Service, changes: int, batch: int) -> Invocations:
        function = self.functions[service]
        used = function.during(
            lambda: function.run(True, BatchSize=batch), math.ceil(changes / batch)
        )
        function.run(False)
        return used

    def _table_units(self, used: Invocations) -> tuple[Amounts, int]:
        """Of what changed, as the stream tells it, and the bytes of the largest record.

        A refused condition costs what the item does. Reads are taken for consistent ones of an item
        of at most 4 KB.
        """
        changes = [(each.get("OldImage"), each.get("NewImage")) for each in self._changes()]
        units = [write_units(*each, self.indexes) for each in changes]
        refused = writes(used) - len(changes)
        if refused < 0:
            raise ValueError(f"{-refused} changes come of writes that were not counted")
        self._twin.check(*changes[-1], sum(units[-1].values()))
        written = sum(sum(each.values()) for each in units)
        written += refused * max(each[TABLE] for each in units)
        reads = sum(used.calls["dynamodb", each] for each in READS)
        amounts = {Item.WRITE_UNIT: written, Item.READ_UNIT: reads}
        return amounts, max(item_bytes(after or {}) for _, after in changes)

    def _changes(self) -> Iterator[Any]:
        """Since it was last asked."""
        while records := next(self._stream):
            yield from (each["dynamodb"] for each in records)


def _stream_from_the_beginning(arn: str) -> Iterator[list[Any]]:
    client = boto3.client("dynamodbstreams")
    (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while True:
        answer = client.get_records(ShardIterator=iterator)
        iterator = answer["NextShardIterator"]
        yield answer["Records"]
