"""The commands of the runbooks inspect and redrive dead letters, with the documented policy."""

import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.adapters.table.summaries import SummaryStore
from inference_results.contract import StackOutput
from inference_results.domain.summaries.summarize import SummarizeEndpoint
from local.environment import OPERATOR_ROLE, ROOT
from tests.support.documents import RUNBOOKS
from tests.support.samples import body, completed, failed
from tests.support.waiting import eventually

STACK = "InferenceResults"
URLS = {
    "completed": StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL,
    "failed": StackOutput.FAILED_DEAD_LETTER_QUEUE_URL,
    "completed-subscription": StackOutput.COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL,
    "failed-subscription": StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL,
    "unprocessable": StackOutput.UNPROCESSABLE_QUEUE_URL,
    "summaries": StackOutput.SUMMARY_DEAD_LETTER_QUEUE_URL,
    "events": StackOutput.EVENT_DEAD_LETTER_QUEUE_URL,
}


def operator():
    """Return environment variables with credentials of the role with the documented policy."""
    frozen = boto3.Session(profile_name=OPERATOR_ROLE).get_credentials().get_frozen_credentials()
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
        "AWS_SESSION_TOKEN": frozen.token,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STACK": STACK,
    }


def commands(page):
    """Return the shell blocks of a runbook by heading."""
    text = (RUNBOOKS / f"{page}.md").read_text()
    return {
        section.partition("\n")[0]: re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
        for section in text.split("\n## ")[1:]
    }


def shell(command, directory=None, code=0, **variables):
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        env=operator() | variables,
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def dead_letters(*words, code=0):
    return shell(f'inference-results dead-letters {" ".join(words)} --stack "$STACK"', code=code)


def listed(queue):
    """List a queue's messages, and return the fields by message id."""
    lines = [line.split("\t") for line in dead_letters("list", queue).splitlines()]
    return {line[0]: line for line in lines}


def attributes(**texts):
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def send(outputs, queue, text, **texts):
    response = boto3.client("sqs").send_message(
        QueueUrl=outputs[URLS[queue]], MessageBody=text, MessageAttributes=attributes(**texts)
    )
    return response["MessageId"]


def arn_of(outputs, output):
    response = boto3.client("sqs").get_queue_attributes(
        QueueUrl=outputs[output], AttributeNames=["QueueArn"]
    )
    return response["Attributes"]["QueueArn"]


def sns_envelope(text):
    return json.dumps({"Type": "Notification", "MessageId": str(uuid.uuid4()), "Message": text})


@pytest.mark.parametrize(
    ("page", "queue", "envelope"),
    [
        ("result-dead-letters", "completed", str),
        ("result-dead-letters", "failed", str),
        ("undelivered-notifications", "completed-subscription", sns_envelope),
        ("undelivered-notifications", "failed-subscription", str),
    ],
)
def test_a_redriven_notification_is_recorded(outputs, wait_for_record, page, queue, envelope):
    inference_id = str(uuid.uuid4())
    notification = completed if queue.startswith("completed") else failed
    error = {"ErrorCode": "AccessDenied", "ErrorMessage": "no"} if "subscription" in queue else {}
    message = send(outputs, queue, envelope(body(notification(inference_id))), **error)
    steps = commands(page)
    variables = {"QUEUE": queue, "MESSAGE_ID": message, "ID": inference_id}
    (check,), (repair,), (verification,) = steps["Check"], steps["Repair"], steps["Verification"]
    output = shell(check, **variables)
    assert f"{message}\t" in output
    assert "would be recorded" in output
    assert inference_id in output.partition("\nbody\t")[2]
    assert f"{message}\tredriven\t" in shell(repair, **variables)
    shell(verification, **variables)
    assert wait_for_record(inference_id)["status"] in ("Completed", "Failed")
    assert listed(queue) == {}


def test_unprocessable_messages_are_redriven_or_deleted(outputs, wait_for_record, tmp_path):
    """A malformed message, and one that an older version could not read."""
    marker = f"malformed {uuid.uuid4()}"
    boto3.client("sns").publish(TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=marker)
    inference_id = str(uuid.uuid4())
    readable = send(
        outputs,
        "unprocessable",
        body(failed(inference_id)),
        reason="InvalidField",
        detail="invocationStatus: expected a known one",
        source_message_id=str(uuid.uuid4()),
        source_queue_arn=arn_of(outputs, StackOutput.FAILED_QUEUE_URL),
    )
    found = eventually(lambda: [each for each in listed("unprocessable") if each != readable])
    bodies = {
        each: json.loads(dead_letters("show", "unprocessable", each, "--json"))["body"]
        for each in found
    }
    malformed = next(each for each, text in bodies.items() if text == marker)
    row = listed("unprocessable")[malformed]
    error = "NotJson: body: expected JSON"
    assert row[5:] == ["no", f"would fail again: {error} (original error: {error})"]
    variables = {"MESSAGE_ID": readable, "ID": inference_id, "MALFORMED_ID": malformed}
    steps = commands("unprocessable")
    (check,), (redrive, delete), (verification,) = (
        steps["Check"],
        steps["Repair"],
        steps["Verification"],
    )
    output = shell(check, **variables)
    assert "original error: InvalidField: invocationStatus: expected a known one" in output
    assert "kept\twould fail again" in dead_letters("redrive", "unprocessable", malformed, code=1)
    shell(redrive, **variables)
    assert malformed in shell(delete, tmp_path, **variables)
    shell(verification, **variables)
    assert wait_for_record(inference_id)["status"] == "Failed"
    assert not {malformed, readable} & listed("unprocessable").keys()
    saved = [
        json.loads(line) for line in (tmp_path / "unprocessable.jsonl").read_text().splitlines()
    ]
    assert [each["body"] for each in saved] == [marker]


class Broken:
    """Breaks a function by removing its settings, and makes Lambda give up after a second."""

    def __init__(self, name):
        self.client = boto3.client("lambda")
        self.name = name
        configured = self.client.get_function_configuration(FunctionName=name)
        self.variables = configured["Environment"]["Variables"]
        mappings = self.client.list_event_source_mappings(FunctionName=name)
        (self.mapping,) = mappings["EventSourceMappings"]

    def __enter__(self):
        self._update({}, 1)

    def __exit__(self, *_):
        self._update(self.variables, self.mapping["MaximumRecordAgeInSeconds"])

    def _update(self, variables, max_age):
        self.client.update_function_configuration(
            FunctionName=self.name, Environment={"Variables": variables}
        )
        self.client.update_event_source_mapping(
            UUID=self.mapping["UUID"], MaximumRecordAgeInSeconds=max_age
        )


@pytest.fixture
def endpoint_name():
    return f"left-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def publish_failure(outputs, wait_for_record, endpoint_name):
    def publish_failure():
        inference_id = str(uuid.uuid4())
        event = failed(inference_id, eventTime=datetime.now(UTC).isoformat())
        event["requestParameters"] = {"endpointName": endpoint_name}
        boto3.client("sns").publish(
            TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], Message=body(event)
        )
        wait_for_record(inference_id)
        return inference_id

    return publish_failure


def stream_dead_letter(queue, changes):
    """Wait until the dead letters reference a number of changes, and return a message id."""

    def found():
        rows = listed(queue).values()
        return sum(int(row[4].split()[0]) for row in rows) >= changes and rows

    return next(iter(eventually(found, seconds=120)))[0]


def test_a_redriven_stream_batch_is_counted(outputs, publish_failure, endpoint_name):
    table = SummaryStore(boto3.client("dynamodb"), outputs[StackOutput.SUMMARIES_TABLE_NAME])
    summarize = SummarizeEndpoint(summaries=table, now=partial(datetime.now, UTC))

    def counts():
        return [day["counts"] for day in summarize(endpoint_name)["days"]]

    with Broken(outputs[StackOutput.SUMMARIZE_FUNCTION_NAME]):
        publish_failure()
        publish_failure()
        message = stream_dead_letter("summaries", 2)
    assert counts() == []
    publish_failure()
    eventually(lambda: counts() == [{"Failed": 1}], seconds=30)
    variables = {"MESSAGE_ID": message, "ENDPOINT": endpoint_name}
    steps = commands("summary-dead-letters")
    (check,), (repair,), (verification,) = steps["Check"], steps["Repair"], steps["Verification"]
    kept = json.loads(dead_letters("show", "summaries", message, "--json"))["body"]
    assert "can be redriven until" in shell(check, **variables)
    shell(repair, **variables)
    assert counts() == [{"Failed": 3}]
    assert "Failed=3" in shell(verification, **variables)
    assert listed("summaries") == {}
    send(outputs, "summaries", kept)
    shell(repair, **variables)
    assert counts() == [{"Failed": 3}]


def test_a_redriven_stream_batch_is_published(outputs, publish_failure, endpoint_name, listener):
    with Broken(outputs[StackOutput.PUBLISH_EVENTS_FUNCTION_NAME]):
        inference_id = publish_failure()
        message = stream_dead_letter("events", 1)
    assert listener.events_of(inference_id) == []
    variables = {"MESSAGE_ID": message, "ID": inference_id}
    steps = commands("event-dead-letters")
    (check,), (repair,), (verification,) = steps["Check"], steps["Repair"], steps["Verification"]
    assert "can be redriven until" in shell(check, **variables)
    shell(repair, **variables)
    (event,) = eventually(lambda: listener.events_of(inference_id))
    assert event["detail-type"] == "Inference Failed"
    shell(verification, **variables)
    assert listed("events") == {}


def test_the_list_command_counts_every_queue():
    (block,) = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "docs/operations/dead-letters.md").read_text(), re.M | re.S
    )
    assert [line.split("\t")[0] for line in shell(block).splitlines()] == list(URLS)


def test_the_operator_role_cannot_write_to_tables_or_send_to_queues(outputs):
    session = boto3.Session(profile_name=OPERATOR_ROLE)
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("dynamodb").scan(TableName=outputs[StackOutput.TABLE_NAME])
    for url in (URLS["unprocessable"], StackOutput.COMPLETED_QUEUE_URL):
        with pytest.raises(ClientError, match="AccessDenied"):
            session.client("sqs").send_message(QueueUrl=outputs[url], MessageBody="forged")
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("lambda").invoke(FunctionName=outputs[StackOutput.RECONCILE_FUNCTION_NAME])
