"""A queue that receives events from the bus."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

from inference_results.contract import EVENT_SOURCE, StackOutput
from tests.support.events_on_bus import check_event


@contextmanager
def event_queue(outputs: dict[str, str], name: str, endpoint_names: list[str]) -> Iterator[str]:
    """Create a queue, and a rule that sends it the events of these endpoints. Yield its URL."""
    events, sqs = boto3.client("events"), boto3.client("sqs")
    # The embedded EventBridge accepts the bus of a rule only by name, not by ARN.
    bus = outputs[StackOutput.EVENT_BUS_ARN].rpartition("/")[2]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = {"source": [EVENT_SOURCE], "detail": {"endpoint_name": endpoint_names}}
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    target = {"Id": "queue", "Arn": arn["QueueArn"]}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    try:
        yield url
    finally:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
        events.delete_rule(Name=name, EventBusName=bus)
        sqs.delete_queue(QueueUrl=url)


class Listener:
    """Reads events from a queue, and validates each against the schema."""

    def __init__(self, url):
        self.url = url
        self._sqs = boto3.client("sqs")
        self.events = []

    def receive(self):
        while messages := self._sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages"):
            for message in messages:
                self.events.append(json.loads(message["Body"]))
                check_event(self.events[-1])
            handles = [
                {"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]}
                for at, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self.url, Entries=handles)
        return self.events

    def events_of(self, inference_id):
        self.receive()
        return [each for each in self.events if each["detail"]["inference_id"] == inference_id]
