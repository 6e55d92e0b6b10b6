"""The commands of README.md and docs/operations.md do what they say."""

import json
import os
import re
import subprocess
import sys
import uuid

import boto3
import pytest

from inference_results.contract import StackOutput
from tests.deploy.conftest import eventually
from tests.samples import body, failed
from tests.synthesis import ROOT


def block(document, language, start):
    """The only fenced block of a document that begins with a text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)
    (found,) = [text for name, text in blocks if name == language and text.startswith(start)]
    return found


def shell(command, **variables):
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_inference_is_asked_for_with_curl(invoke, record_of, outputs):
    response = invoke()
    record = record_of(response["InferenceId"])
    command = block("README.md", "", "curl").replace(
        "ccdad826-c203-40bf-b791-2531a81db556", response["InferenceId"]
    )
    answer = shell(
        command.strip() + ' --silent --cacert "$AWS_CA_BUNDLE"',
        API_URL=outputs[StackOutput.API_URL],
    )
    assert json.loads(answer) == record


@pytest.mark.parametrize(
    ("queue", "topic"),
    [
        (StackOutput.COMPLETED_DEAD_LETTER_QUEUE_URL, StackOutput.SUCCESS_TOPIC_ARN),
        (StackOutput.FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL, StackOutput.ERROR_TOPIC_ARN),
    ],
)
def test_dead_letters_are_published_again_and_recorded(outputs, record_of, tmp_path, queue, topic):
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for each in ids:
        boto3.client("sqs").send_message(QueueUrl=outputs[queue], MessageBody=body(failed(each)))
    script = tmp_path / "republish.py"
    script.write_text(block("docs/operations.md", "python", "# republish.py"))
    subprocess.run([sys.executable, script, outputs[queue], outputs[topic]], check=True)
    assert {record_of(each)["status"] for each in ids} == {"Failed"}
    found = boto3.client("sqs").receive_message(QueueUrl=outputs[queue])
    assert "Messages" not in found


def test_what_was_parked_is_shown_with_its_reason(outputs):
    marker = str(uuid.uuid4())
    boto3.client("sns").publish(TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], Message=marker)
    command = block("docs/operations.md", "", "python -")
    url = outputs[StackOutput.UNPROCESSABLE_QUEUE_URL]

    def shown():
        lines = [line for line in shell(command, QUEUE_URL=url).splitlines() if marker in line]
        return lines and lines[0]

    assert "body: expected JSON" in eventually(shown)
