"""Publishes to the deployed system while AWS calls fail and processes are killed."""

import itertools
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import boto3
import psutil

from inference_results.contract import Service, StackOutput
from local.embedded_aws import NAME
from local.processes import Processes
from tests.faults.published import StoredObject
from tests.support.waiting import eventually

READERS = (Service.PUBLISH_EVENTS, Service.SUMMARIZE)
"""The functions that read the table's stream."""
SERVICES = (Service.RECORD_RESULT, *READERS)
QUEUES = (StackOutput.COMPLETED_QUEUE_URL, StackOutput.FAILED_QUEUE_URL)
TOPICS = (StackOutput.SUCCESS_TOPIC_ARN, StackOutput.ERROR_TOPIC_ARN)

VISIBILITY_SECONDS = 10
"""Instead of three minutes, so failed messages return during the storm."""
BATCH_CONCURRENCY = 8
"""Concurrent batches of each queue. They mostly wait for responses or retries."""
MAX_WAITING = 100
"""Messages in a queue. The embedded SQS is slow with long queues."""
STREAM_PAUSE_SECONDS = 4
"""Replaces a batching window, which the embedded Lambda does not support: it invokes no other
function while it waits for one that reads a stream."""
STREAM_SECONDS = 0.5
"""How long one reader is enabled, in turn."""


class DeployedFunctions:
    """The functions that process results, and the mappings that invoke them."""

    def __init__(self):
        self._lambda = boto3.client("lambda")
        pages = self._lambda.get_paginator("list_functions").paginate()
        self._variables = {
            each["FunctionName"]: each["Environment"]["Variables"]
            for page in pages
            for each in page["Functions"]
            if each.get("Environment", {}).get("Variables", {}).get("POWERTOOLS_SERVICE_NAME")
            in SERVICES
        }
        mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
        self._mappings = [
            each for each in mappings if each["FunctionArn"].split(":")[6] in self._variables
        ]

    def service_of(self, function_name):
        return self._variables[function_name]["POWERTOOLS_SERVICE_NAME"]

    @property
    def names(self):
        return set(self._variables)

    def send_through(self, proxy):
        for name, variables in self._variables.items():
            self._lambda.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables | proxy.variables}
            )

    def limit_batches(self, concurrency):
        for each in self._mappings:
            if ":sqs:" in each["EventSourceArn"]:
                self._lambda.update_event_source_mapping(
                    UUID=each["UUID"], ScalingConfig={"MaximumConcurrency": concurrency}
                )

    def read_stream(self, *services):
        """Enable the stream mappings of only these services."""
        for each in self._mappings:
            if "/stream/" in each["EventSourceArn"]:
                reads = self.service_of(each["FunctionArn"].split(":")[6]) in services
                self._lambda.update_event_source_mapping(UUID=each["UUID"], Enabled=reads)


class Workers:
    """The processes of the embedded Lambda."""

    def __init__(self, folder, functions, proxy_port):
        self._emulator = Processes(folder.path).process(NAME)
        self._log = folder.path / f"{NAME}.log"
        self._functions = functions
        self._proxy_port = proxy_port
        self.killed = Counter()

    def kill_one(self):
        """Kill a working process of the function with the fewest kills, if any is working.

        Never kill a starting process, because the embedded Lambda then stops all processes.
        """
        for _ in range(10):
            if at_work := self._at_work():
                service = min(at_work, key=lambda each: self.killed[each])
                with suppress(psutil.NoSuchProcess):
                    at_work[service].send_signal(signal.SIGKILL)
                    self.killed[service] += 1
                return

    def _at_work(self):
        """Return, by service, a process that used the CPU within 0.1 s."""
        worked = {process: _seconds_worked(process) for process in self._warm_processes()}
        time.sleep(0.1)
        return {
            service: process
            for process, before in worked.items()
            if (service := self._service_of(process)) and _seconds_worked(process) != before
        }

    def _warm_processes(self):
        return [
            each
            for each in self._emulator.children()
            if self._service_of(each) and self._is_connected(each)
        ]

    def _service_of(self, process):
        with suppress(psutil.NoSuchProcess):
            name = process.environ().get("AWS_LAMBDA_FUNCTION_NAME")
            return self._functions.service_of(name) if name in self._functions.names else None
        return None

    def _is_connected(self, process):
        with suppress(psutil.NoSuchProcess):
            connected = process.net_connections("tcp4")
            return any(each.raddr and each.raddr.port == self._proxy_port for each in connected)
        return False

    def killed_in_a_batch(self):
        """Count batches whose process died, by service, from the embedded Lambda's log."""
        return Counter(
            self._functions.service_of(line.partition("ESM: Lambda ")[2].partition(" failed ")[0])
            for line in self._log.read_text().splitlines()
            if "ESM: Lambda " in line and " failed " in line and "Worker process died" in line
        )


def _seconds_worked(process):
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system
    return None


class Repeated:
    """Repeats an action in a thread until the context ends."""

    def __init__(self, action, pause_seconds):
        self._action = action
        self._pause_seconds = pause_seconds
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self):
        self._running = self._pool.submit(self._run)
        return self

    def _run(self):
        while not self._end.wait(self._pause_seconds):
            self._action()

    def __exit__(self, *_):
        self._end.set()
        self._pool.shutdown()
        self._running.result()


def store_objects(outputs, prefix, contents):
    """Store one object for each content below a prefix."""
    s3, bucket = boto3.client("s3"), outputs["OutputBucket"]

    def store(index):
        key, content = f"{prefix}{index}.out", contents[index]
        stored = s3.put_object(
            Bucket=bucket, Key=key, Body=content, ContentType="application/octet-stream"
        )
        return StoredObject(bucket, key, content, stored["VersionId"], stored["ETag"])

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(store, range(len(contents))))


def publish(outputs, messages):
    """Publish to both topics in turn, fifty messages at a time, while the queues are short."""
    sns = boto3.client("sns")
    queues = [Queue(outputs[name]) for name in QUEUES]
    for batch, start in enumerate(range(0, len(messages), 10)):
        if batch % 5 == 0:
            eventually(lambda: all(each.waiting() < MAX_WAITING for each in queues), 300)
        response = sns.publish_batch(
            TopicArn=outputs[TOPICS[batch % 2]],
            PublishBatchRequestEntries=[
                {"Id": str(index), "Message": each}
                for index, each in enumerate(messages[start : start + 10])
            ],
        )
        assert not response.get("Failed"), response["Failed"]


class Queue:
    """An SQS queue."""

    def __init__(self, url):
        self._url = url
        self._sqs = boto3.client("sqs")

    def set_visibility_timeout(self, seconds):
        attributes = {"VisibilityTimeout": str(seconds)}
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes=attributes)

    def waiting(self):
        return self._count("ApproximateNumberOfMessages")

    def in_flight(self):
        """Count waiting and received messages in one call, because messages move between both."""
        return self._count("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def _count(self, *names):
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=list(names))
        return sum(int(found["Attributes"][name]) for name in names)

    def messages(self):
        """Return all messages without deleting them."""
        found = []
        while messages := self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=60,
        ).get("Messages"):
            found += messages
        return found


@contextmanager
def storm(functions, proxy, workers, listener):
    """Inject faults and kill processes in this context, with one stream reader at a time."""
    readers = itertools.cycle(READERS)

    def read_the_stream_and_kill():
        functions.read_stream(next(readers))
        time.sleep(STREAM_SECONDS)
        workers.kill_one()
        functions.read_stream()

    proxy.inject()
    functions.read_stream()
    with (
        Repeated(read_the_stream_and_kill, STREAM_PAUSE_SECONDS),
        Repeated(listener.receive, 1),
    ):
        yield


def changes_of(table_name):
    """Yield the old and new images in the table's stream from its beginning."""
    stream = boto3.client("dynamodb").describe_table(TableName=table_name)["Table"]
    client, arn = boto3.client("dynamodbstreams"), stream["LatestStreamArn"]
    (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while iterator:
        response = client.get_records(ShardIterator=iterator)
        if not response["Records"]:
            return
        yield from (each["dynamodb"] for each in response["Records"])
        iterator = response.get("NextShardIterator")
