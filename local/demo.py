"""The demo: invokes endpoints in every way, then reads results with the client and the CLI."""

import json
import shlex
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import boto3
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from inference_results.client import Client, Inference, WaitTimeout
from inference_results.contract import StackOutput
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from local.environment import EXECUTION_ROLE, READER_ROLE, LocalFolder
from local.submissions import show_submissions

_WAIT_SECONDS: Final = 90


@dataclass(frozen=True, kw_only=True)
class Sent:
    """An invocation, and what its record must contain."""

    inference_id: str
    endpoint_name: str
    body: bytes
    custom_attributes: str
    status: str
    failure_code: str | None = None

    @property
    def has_output(self) -> bool:
        return self.status == "Completed"


def plan(run: str) -> list[Sent]:
    """Plan 36 invocations on two endpoints: small, large and empty outputs, failures, expiries."""
    small, large = b'{"text": "good morning"}', b"\xff\x00 not text " * 400
    kinds = [
        *[("small", small, "", "Completed", None)] * 14,
        *[("delayed", small, "simulate-delay=1.5", "Completed", None)] * 3,
        *[("large", large, "", "Completed", None)] * 4,
        ("empty", b"", "", "Completed", None),
        *[("inline", small, "simulate-inline", "Completed", None)] * 3,
        ("twice", small, "simulate-duplicate", "Completed", None),
        *[("invalid", small, "simulate-failure=400", "Failed", "MODEL_ERROR_4XX")] * 3,
        *[("crash", small, "simulate-failure=500", "Failed", "MODEL_ERROR_5XX")] * 3,
        *[("timeout", small, "simulate-failure=0", "Failed", "MODEL_TIMEOUT")] * 2,
        *[("expired", small, "simulate-expiry", "Expired", "EXPIRED")] * 2,
    ]
    return [
        Sent(
            inference_id=f"{run} {name} #{number}",
            endpoint_name=("speech", "ocr")[number % 2],
            body=body,
            custom_attributes=custom_attributes,
            status=status,
            failure_code=code,
        )
        for number, (name, body, custom_attributes, status, code) in enumerate(kinds, start=1)
    ]


def run_demo(folder: LocalFolder, console: Console) -> bool:
    """Return True if all records and outputs match what was sent.

    Also checks that an unprocessable message is kept, that a test notification is ignored, that a
    repeated submission invokes once, and that reconciliation finds a result without a notification.
    """
    outputs = folder.outputs()
    sent = plan(uuid.uuid4().hex[:6])
    with Progress(console=console) as progress:
        sending = progress.add_task("Invoking the endpoints", total=len(sent))
        for each in sent:
            _invoke(each)
            progress.advance(sending)
    marker = _publish_other_messages(outputs)
    session = boto3.Session(profile_name=READER_ROLE)
    with Client(outputs[StackOutput.API_URL], session=session) as client:
        records = _wait_for_records(client, sent, console)
        differing = {each.inference_id: differences(each, records, client) for each in sent}
    console.print(_table(sent, records, differing))
    rejected = _unprocessable_messages(outputs, marker)
    ignored = not any("TestNotification" in body for body in rejected)
    console.print(
        f"Malformed message moved to the unprocessable queue: {rejected.get(marker, 'NO')}"
    )
    console.print(f"Test notification ignored: {'yes' if ignored else 'NO'}")
    succeeded = [_run_command(console, *words) for words in _commands(sent)]
    count = sum(map(bool, differing.values()))
    console.print(
        f"\n{len(sent)} invocations, {len(records)} records, {count} that differ from what was sent"
    )
    matches = not count and marker in rejected and ignored and all(succeeded)
    return show_submissions(outputs, console) and matches


def _wait_for_records(client: Client, sent: list[Sent], console: Console) -> dict[str, Inference]:
    """Return the records by id, without those that do not end in time."""
    with Progress(console=console) as progress:
        waiting = progress.add_task("Waiting for the results", total=len(sent))
        try:
            return client.wait_all(
                [each.inference_id for each in sent],
                _WAIT_SECONDS,
                progress=lambda done, total: progress.update(waiting, completed=done),
            )
        except WaitTimeout as timeout:
            return timeout.done


def _commands(sent: list[Sent]) -> list[list[str]]:
    """Arguments of the CLI commands that the demo shows."""
    completed = next(each for each in sent if each.custom_attributes == "simulate-inline")
    return [
        ["wait", sent[0].inference_id],
        ["output", completed.inference_id],
        ["list", "--status", "Failed", "--limit", "3"],
        ["summary", completed.endpoint_name],
    ]


def _run_command(console: Console, *words: str) -> bool:
    """Run the CLI with the reader's permissions, on the terminal if the console is one."""
    console.print(f"\n$ inference-results {shlex.join(words)}", style="bold", markup=False)
    command = [str(Path(sys.executable).with_name("inference-results")), "--profile", READER_ROLE]
    stdout = None if console.is_terminal else subprocess.PIPE
    done = subprocess.run([*command, *words], stdout=stdout, text=True, check=False)
    console.print(done.stdout or "", markup=False, highlight=False, soft_wrap=True, end="")
    return done.returncode == 0


def _invoke(sent: Sent) -> None:
    key = f"{INPUT_PREFIX}{sent.inference_id}"
    boto3.client("s3").put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=sent.body)
    boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=sent.endpoint_name,
        InferenceId=sent.inference_id,
        InputLocation=f"s3://{OUTPUT_BUCKET}/{key}",
        ContentType="application/json",
        CustomAttributes=sent.custom_attributes,
    )


def _publish_other_messages(outputs: dict[str, str]) -> str:
    """Publish a test notification and a malformed message, and return the malformed one."""
    sns = boto3.Session(profile_name=EXECUTION_ROLE).client("sns")
    test = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
    sns.publish(TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=json.dumps(test))
    marker = f"not a notification ({uuid.uuid4()})"
    sns.publish(TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], Message=marker)
    return marker


def differences(sent: Sent, records: dict[str, Inference], client: Client) -> list[str]:
    """Compare a record and its output with what was sent, and return the names that differ."""
    record = records.get(sent.inference_id)
    if record is None:
        return ["no record"]
    expected = {
        "endpoint_name": sent.endpoint_name,
        "status": sent.status,
        "custom_attributes": sent.custom_attributes or None,
        "input_location": f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}{sent.inference_id}",
        "output_error": None,
    }
    found = [name for name, value in expected.items() if getattr(record, name) != value]
    if (record.failure.code if record.failure else None) != sent.failure_code:
        found.append("failure.code")
    if sent.has_output and client.output(sent.inference_id) != sent.body:
        found.append("output")
    return found


def _unprocessable_messages(outputs: dict[str, str], marker: str) -> dict[str, str]:
    """Read the unprocessable queue until `marker` appears. Return the details by message body."""
    sqs = boto3.client("sqs")
    rejected: dict[str, str] = {}
    deadline = time.monotonic() + 20
    while marker not in rejected and time.monotonic() < deadline:
        messages = sqs.receive_message(
            QueueUrl=outputs[StackOutput.UNPROCESSABLE_QUEUE_URL],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=5,
            WaitTimeSeconds=1,
        ).get("Messages", [])
        for message in messages:
            rejected[message["Body"]] = message["MessageAttributes"]["detail"]["StringValue"]
    return rejected


def _table(
    sent: list[Sent], records: dict[str, Inference], differing: dict[str, list[str]]
) -> Table:
    columns = ("inference", "endpoint", "status", "output", "failure", "match")
    table = Table(
        *(Column(name, no_wrap=True) for name in columns),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for each in sent:
        names = ", ".join(differing[each.inference_id])
        table.add_row(
            each.inference_id,
            *_cells(records.get(each.inference_id)),
            f"[red]{names}" if names else "yes",
        )
    return table


def _cells(record: Inference | None) -> tuple[str, str, str, str]:
    if record is None:
        return ("", "", "", "")
    output, failure = record.output, record.failure
    where = "inline" if output and output.inline is not None else "in S3"
    return (
        record.endpoint_name,
        record.status,
        f"{output.size} B {where}" if output else "",
        failure.code if failure else "",
    )
