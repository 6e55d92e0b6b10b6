"""Publishes to the deployed system while AWS fails and processes die, and collects what is left."""

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
from tests.deploy.conftest import eventually
from tests.faults.published import StoredObject

READERS = (Service.PUBLISH_EVENTS, Service.SUMMARIZE)
"""Of the table's stream."""
SERVICES = (Service.RECORD_RESULT, *READERS)
QUEUES = (StackOutput.COMPLETED_QUEUE_URL, StackOutput.FAILED_QUEUE_URL)
TOPICS = (StackOutput.SUCCESS_TOPIC_ARN, StackOutput.ERROR_TOPIC_ARN)

VISIBILITY_SECONDS = 10
"""In place of three minutes: what failed comes again while the storm goes on."""
BATCHES_AT_A_TIME = 8
"""Of each queue: most of the time they wait for an answer, or to ask again."""
MOST_WAITING = 100
"""In a queue: the embedded SQS becomes slow with long ones."""
STREAM_PAUSE_SECONDS = 4
"""In place of a batching window, which the embedded Lambda does not know: while it waits for a
function that reads a stream, it invokes no other."""
STREAM_SECONDS = 0.5
"""For which one of them may read, by turns."""


class DeployedFunctions:
    """The functions that results pass, by the name of each, and the mappings that invoke them."""

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

    def limit_batches(self, at_a_time):
        for each in self._mappings:
            if ":sqs:" in each["EventSourceArn"]:
                self._lambda.update_event_source_mapping(
                    UUID=each["UUID"], ScalingConfig={"MaximumConcurrency": at_a_time}
                )

    def read_stream(self, *services):
        """By these functions from now on, and by no others."""
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
        """One that is at work, if any is, of the function whose processes were killed least.

        The embedded Lambda stops all processes when one dies that is still starting.
        """
        for _ in range(10):
            if at_work := self._at_work():
                service = min(at_work, key=lambda it: self.killed[it])
                with suppress(psutil.NoSuchProcess):
                    at_work[service].send_signal(signal.SIGKILL)
                    self.killed[service] += 1
                return

    def _at_work(self):
        """A process of each function that has one which used the processor within 0.1 s."""
        worked = {process: _seconds_worked(process) for process in self._that_have_called_aws()}
        time.sleep(0.1)
        return {
            service: process
            for process, before in worked.items()
            if (service := self._service_of(process)) and _seconds_worked(process) != before
        }

    def _that_have_called_aws(self):
        return [it for it in self._emulator.children() if self._service_of(it) and self._calls(it)]

    def _service_of(self, process):
        with suppress(psutil.NoSuchProcess):
            name = process.environ().get("AWS_LAMBDA_FUNCTION_NAME")
            return self._functions.service_of(name) if name in self._functions.names else None
        return None

    def _calls(self, process):
        with suppress(psutil.NoSuchProcess):
            connected = process.net_connections("tcp4")
            return any(it.raddr and it.raddr.port == self._proxy_port for it in connected)
        return False

    def killed_in_a_batch(self):
        """By service: batches that ended with their process, as the embedded Lambda says."""
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
    """Does something again and again in a thread, until it is left."""

    def __init__(self, do, pause_seconds):
        self._do = do
        self._pause_seconds = pause_seconds
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self):
        self._running = self._pool.submit(self._run)
        return self

    def _run(self):
        while not self._end.wait(self._pause_seconds):
            self._do()

    def __exit__(self, *_):
        self._end.set()
        self._pool.shutdown()
        self._running.result()


def store_objects(outputs, prefix, contents):
    """Objects under a prefix, one for each content."""
    s3, bucket = boto3.client("s3"), outputs["OutputBucket"]

    def store(at):
        key, content = f"{prefix}{at}.out", contents[at]
        stored = s3.put_object(
            Bucket=bucket, Key=key, Body=content, ContentType="application/octet-stream"
        )
        return StoredObject(bucket, key, content, stored["VersionId"], stored["ETag"])

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(store, range(len(contents))))


def publish(outputs, notices):
    """Fifty at a time, to the topics in turn, while not too many wait."""
    sns = boto3.client("sns")
    queues = [Queue(outputs[name]) for name in QUEUES]
    for batch, start in enumerate(range(0, len(notices), 10)):
        if batch % 5 == 0:
            eventually(lambda: all(it.waiting() < MOST_WAITING for it in queues), 300)
        answer = sns.publish_batch(
            TopicArn=outputs[TOPICS[batch % 2]],
            PublishBatchRequestEntries=[
                {"Id": str(at), "Message": each}
                for at, each in enumerate(notices[start : start + 10])
            ],
        )
        assert not answer.get("Failed"), answer["Failed"]


class Queue:
    """A queue that results pass, or one that keeps what is set aside."""

    def __init__(self, url):
        self._url = url
        self._sqs = boto3.client("sqs")

    def set_visibility_timeout(self, seconds):
        attributes = {"VisibilityTimeout": str(seconds)}
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes=attributes)

    def waiting(self):
        return self._count("ApproximateNumberOfMessages")

    def in_flight(self):
        """Messages that wait or are being worked on, by one call: they go to and fro in between."""
        return self._count("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def _count(self, *names):
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=list(names))
        return sum(int(found["Attributes"][name]) for name in names)

    def messages(self):
        """All there are; they stay."""
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
    """Faults and kills while it lasts; the stream is read in between."""
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
        Repeated(listener.listen, 1),
    ):
        yield


def changes_of(table_name):
    """What the table's stream tells, from its beginning: images before and after."""
    stream = boto3.client("dynamodb").describe_table(TableName=table_name)["Table"]
    client, arn = boto3.client("dynamodbstreams"), stream["LatestStreamArn"]
    (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while iterator:
        answer = client.get_records(ShardIterator=iterator)
        if not answer["Records"]:
            return
        yield from (each["dynamodb"] for each in answer["Records"])
        iterator = answer.get("NextShardIterator")
