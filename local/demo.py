"""The whole way before one's eyes: invocations of every kind, asked for by client and command."""

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
    """An invocation, and what its record must say."""

    inference_id: str
    endpoint_name: str
    body: bytes
    wishes: str
    status: str
    failure_code: str | None = None

    @property
    def has_output(self) -> bool:
        return self.status == "Completed"


def plan(run: str) -> list[Sent]:
    """36 invocations on two endpoints: successes small, large and empty, failures, an expiry."""
    small, large = b'{"text": "good morning"}', b"\xff\x00 not text " * 400
    kinds = [
        *[("small", small, "", "Completed", None)] * 14,
        *[("delayed", small, "simulate-delay=1.5", "Completed", None)] * 3,
        *[("large", large, "", "Completed", None)] * 4,
        ("empty", b"", "", "Completed", None),
        *[("in notice", small, "simulate-inline", "Completed", None)] * 3,
        ("twice", small, "simulate-duplicate", "Completed", None),
        *[("bad input", small, "simulate-failure=400", "Failed", "MODEL_ERROR_4XX")] * 3,
        *[("crash", small, "simulate-failure=500", "Failed", "MODEL_ERROR_5XX")] * 3,
        *[("time-out", small, "simulate-failure=0", "Failed", "MODEL_TIMEOUT")] * 2,
        *[("expired", small, "simulate-expiry", "Expired", "EXPIRED")] * 2,
    ]
    return [
        Sent(
            inference_id=f"{run} {name} #{number}",
            endpoint_name=("speech", "ocr")[number % 2],
            body=body,
            wishes=wishes,
            status=status,
            failure_code=code,
        )
        for number, (name, body, wishes, status, code) in enumerate(kinds, start=1)
    ]


def run_demo(folder: LocalFolder, console: Console) -> bool:
    """True if every record says what was sent, and what is no result was kept apart.

    So too if what is submitted twice is invoked once, and a lost notification is made up for.
    """
    outputs = folder.outputs()
    sent = plan(uuid.uuid4().hex[:6])
    with Progress(console=console) as progress:
        sending = progress.add_task("invoking the endpoint", total=len(sent))
        for each in sent:
            _invoke(each)
            progress.advance(sending)
    marker = _publish_what_is_no_result(outputs)
    session = boto3.Session(profile_name=READER_ROLE)
    with Client(outputs[StackOutput.API_URL], session=session) as client:
        records = _awaited(client, sent, console)
        wrong = {each.inference_id: differences(each, records, client) for each in sent}
    console.print(_table(sent, records, wrong))
    parked = _parked(outputs, marker)
    ignored = not any("TestNotification" in body for body in parked)
    console.print(f"the message that is no notification was parked: {parked.get(marker, 'NO')}")
    console.print(f"the test notification was ignored: {'yes' if ignored else 'NO'}")
    asked = [_command(console, *words) for words in _questions(sent)]
    count = sum(map(bool, wrong.values()))
    console.print(
        f"{len(sent)} invocations, {len(records)} records, {count} that differ from what was sent"
    )
    as_sent = not count and marker in parked and ignored and all(asked)
    return show_submissions(outputs, console) and as_sent


def _awaited(client: Client, sent: list[Sent], console: Console) -> dict[str, Inference]:
    """The records by id, as far as they come in time."""
    with Progress(console=console) as progress:
        waiting = progress.add_task("waiting for the results", total=len(sent))
        try:
            return client.wait_all(
                [each.inference_id for each in sent],
                _WAIT_SECONDS,
                progress=lambda done, total: progress.update(waiting, completed=done),
            )
        except WaitTimeout as timeout:
            return timeout.done


def _questions(sent: list[Sent]) -> list[list[str]]:
    """What a person would ask at a terminal, as arguments of the command."""
    completed = next(each for each in sent if each.wishes == "simulate-inline")
    return [
        ["wait", sent[0].inference_id],
        ["output", completed.inference_id],
        ["list", "--status", "Failed", "--limit", "3"],
        ["summary", completed.endpoint_name],
    ]


def _command(console: Console, *words: str) -> bool:
    """Run the command under the reader's rights, on the terminal if there is one."""
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
        CustomAttributes=sent.wishes,
    )


def _publish_what_is_no_result(outputs: dict[str, str]) -> str:
    """A TestNotification, and a message that is none at all; answers with what marks it."""
    sns = boto3.Session(profile_name=EXECUTION_ROLE).client("sns")
    test = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
    sns.publish(TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=json.dumps(test))
    marker = f"this is no notification ({uuid.uuid4()})"
    sns.publish(TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], Message=marker)
    return marker


def differences(sent: Sent, records: dict[str, Inference], client: Client) -> list[str]:
    """The names of what is not as it was sent; the output is read as any consumer would."""
    record = records.get(sent.inference_id)
    if record is None:
        return ["no record"]
    expected = {
        "endpoint_name": sent.endpoint_name,
        "status": sent.status,
        "custom_attributes": sent.wishes or None,
        "input_location": f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}{sent.inference_id}",
        "output_error": None,
    }
    found = [name for name, value in expected.items() if getattr(record, name) != value]
    if (record.failure.code if record.failure else None) != sent.failure_code:
        found.append("failure.code")
    if sent.has_output and client.output(sent.inference_id) != sent.body:
        found.append("output")
    return found


def _parked(outputs: dict[str, str], marker: str) -> dict[str, str]:
    """Bodies and details of what was parked, up to the message that must be among them."""
    sqs = boto3.client("sqs")
    parked: dict[str, str] = {}
    deadline = time.monotonic() + 20
    while marker not in parked and time.monotonic() < deadline:
        messages = sqs.receive_message(
            QueueUrl=outputs[StackOutput.UNPROCESSABLE_QUEUE_URL],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=5,
            WaitTimeSeconds=1,
        ).get("Messages", [])
        for message in messages:
            parked[message["Body"]] = message["MessageAttributes"]["detail"]["StringValue"]
    return parked


def _table(sent: list[Sent], records: dict[str, Inference], wrong: dict[str, list[str]]) -> Table:
    columns = ("inference", "on", "status", "output", "failure", "sent")
    table = Table(
        *(Column(name, no_wrap=True) for name in columns),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for each in sent:
        names = ", ".join(wrong[each.inference_id])
        table.add_row(
            each.inference_id,
            *_shown(records.get(each.inference_id)),
            f"[red]{names}" if names else "yes",
        )
    return table


def _shown(record: Inference | None) -> tuple[str, str, str, str]:
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
