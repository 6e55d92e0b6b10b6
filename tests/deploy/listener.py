"""Who listens to the event bus."""

import json

import boto3

from tests.events_on_bus import check_event


class Listener:
    """A queue, and what came into it, each event as the schema says."""

    def __init__(self, url):
        self.url = url
        self.events = []

    def listen(self):
        sqs = boto3.client("sqs")
        while messages := sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages"):
            for message in messages:
                self.events.append(json.loads(message["Body"]))
                check_event(self.events[-1])
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.events

    def told(self, inference_id):
        self.listen()
        return [each for each in self.events if each["detail"]["inference_id"] == inference_id]
