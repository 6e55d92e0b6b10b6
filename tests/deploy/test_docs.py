"""The commands and examples of the documents work on the deployed system."""

import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime

import boto3
import pytest

from inference_results.client import Client
from inference_results.contract import StackOutput
from inference_results.domain.record.timestamps import timestamp
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET
from tests.deploy.endpoint import Endpoint
from tests.support.documents import RUNBOOKS
from tests.support.samples import body, completed
from tests.support.synthesis import ROOT


def blocks(document):
    """Return the language and text of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)


def block(document, language, start):
    """Return the only block of a document that starts with a text."""
    (found,) = [
        text for name, text in blocks(document) if (name, text[: len(start)]) == (language, start)
    ]
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


def test_the_readme_example_prints_what_it_says(outputs):
    key = f"{INPUT_PREFIX}{uuid.uuid4()}"
    boto3.client("s3").put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=b'{"text": "good morning"}')
    example = block("README.md", "python", "import os").replace(
        "s3://my-bucket/in/1.wav", f"s3://{OUTPUT_BUCKET}/{key}"
    )
    printed = subprocess.run(
        [sys.executable, "-c", example],
        env=os.environ | {"API_URL": outputs[StackOutput.API_URL]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == block("README.md", "", "Completed")


@pytest.fixture(scope="module")
def runbook_variables(folder):
    """Variables of the runbooks, with an endpoint that exists in the simulated SageMaker."""
    outputs = folder.outputs()
    return {
        "STACK": "InferenceResults",
        "ENDPOINT": Endpoint().name,
        "INFERENCE_RESULTS_API_URL": outputs[StackOutput.API_URL],
        "RECONCILE_FUNCTION_NAME": outputs[StackOutput.RECONCILE_FUNCTION_NAME],
    }


TESTED_ELSEWHERE = {
    "event-dead-letters",
    "dead-letters",
    "doctor",
    "result-dead-letters",
    "summary-dead-letters",
    "undelivered-notifications",
    "unprocessable",
}
RUNBOOK_COMMANDS = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in sorted(RUNBOOKS.glob("*.md"))
    if page.stem not in TESTED_ELSEWHERE
    for number, (language, text) in enumerate(blocks(page))
    if language == "sh"
]


@pytest.mark.parametrize("command", RUNBOOK_COMMANDS)
def test_the_commands_of_a_runbook_work(runbook_variables, command):
    shell(f"set -e -o pipefail; {command}", **runbook_variables)


def test_the_runbook_finds_results_without_outputs(
    runbook_variables, outputs, invoke, wait_for_record
):
    """Uses locations that are never read, so the test does not wait for retries."""
    elsewhere, nowhere = (completed(str(uuid.uuid4())) for _ in range(2))
    elsewhere["responseParameters"]["outputLocation"] = "s3://elsewhere/one.out"
    del nowhere["responseParameters"]["outputLocation"]
    for each in (elsewhere, nowhere):
        each["eventTime"] = timestamp(datetime.now(UTC))
        each["requestParameters"]["endpointName"] = "speech"
        boto3.client("sns").publish(
            TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=body(each)
        )
        wait_for_record(each["inferenceId"])
    read = wait_for_record(invoke()["InferenceId"])
    command = block("docs/operations/runbooks/unread-outputs.md", "sh", "python")
    output = shell(command, **runbook_variables | {"ENDPOINT": "speech"})
    assert {
        f"{elsewhere['inferenceId']} Completed LocationNotAllowed s3://elsewhere/one.out",
        f"{nowhere['inferenceId']} Completed LocationMissing",
    } <= set(output.splitlines())
    assert read["inference_id"] not in output


def test_an_active_alarm_is_shown_with_its_runbook(runbook_variables):
    cloudwatch = boto3.client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix="InferenceResults-")["MetricAlarms"]
    (name,) = [each["AlarmName"] for each in alarms if "ReconcileStopped" in each["AlarmName"]]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="tried")
    output = shell(section("Which alarms ring"), **runbook_variables)
    assert "Runbook: docs/operations/runbooks/reconcile-stopped.md" in output


def test_the_documented_command_invokes_reconcile(runbook_variables):
    assert isinstance(json.loads(shell(section("Reconcile now"), **runbook_variables)), dict)


def section(heading):
    """Return the command of a section in the runbooks' README."""
    text = (ROOT / "docs/operations/runbooks/README.md").read_text()
    (command,) = re.findall(rf"^## {heading}\n[^#]*?^```sh\n(.*?)^```", text, re.M | re.S)
    return command


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The bin folder of an environment with only the package, installed as documented."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    command = block("docs/guides/querying.md", "sh", "pip install")
    path = f"{environment}/bin:{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", command], cwd=ROOT, env=os.environ | {"PATH": path}, check=True)
    return environment / "bin"


@pytest.fixture(scope="module")
def example_variables(folder):
    """Variables of the examples, with an inference whose output is JSON."""
    outputs = folder.outputs()
    inference_id = f"{uuid.uuid4()}"
    boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech",
        InferenceId=inference_id,
        Body=b'{"text": "good morning"}',
        ContentType="application/json",
    )
    failing = boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech", Body=b"x", CustomAttributes="simulate-failure=500"
    )
    with Client(outputs[StackOutput.API_URL]) as client:
        client.wait_all([inference_id, failing["InferenceId"]], timeout=60)
    return {
        "ID": inference_id,
        "API_URL": outputs[StackOutput.API_URL],
        "TABLE_NAME": outputs[StackOutput.TABLE_NAME],
        "SUMMARIES_TABLE_NAME": outputs[StackOutput.SUMMARIES_TABLE_NAME],
        "SHARDS": outputs[StackOutput.SHARDS],
    }


EXAMPLES = [
    each
    for document in ("docs/guides/querying.md", "docs/guides/submitting.md")
    for each in blocks(document)
    if each[0] and "pip install" not in each[1]
]


@pytest.mark.parametrize(("language", "text"), EXAMPLES)
def test_the_examples_work_with_the_installed_package(
    installed, example_variables, tmp_path, language, text
):
    run = {
        "sh": ["bash", "-e", "-o", "pipefail", "-c", text],
        "python": [installed / "python", "-W", "error", "-c", text],
    }
    environment = os.environ | example_variables
    environment["PATH"] = f"{installed}:{environment['PATH']}"
    environment["CURL_CA_BUNDLE"] = environment["AWS_CA_BUNDLE"]
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        run[language], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
