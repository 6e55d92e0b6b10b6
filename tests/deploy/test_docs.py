"""The commands of README.md and of the documents in docs/ do what they say."""

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
from tests.deploy.test_attach import Endpoint
from tests.samples import body, completed
from tests.synthesis import ROOT


def blocks(document):
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)


def block(document, language, start):
    """The only block of a document that begins with a text."""
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


@pytest.fixture(scope="module")
def operated(folder):
    """The variables that the runbooks use; the endpoint is one that SageMaker knows."""
    outputs = folder.outputs()
    return {
        "STACK": "InferenceResults",
        "ENDPOINT": Endpoint().name,
        "INFERENCE_RESULTS_API_URL": outputs[StackOutput.API_URL],
        "RECONCILE_FUNCTION_NAME": outputs[StackOutput.RECONCILE_FUNCTION_NAME],
    }


RUN_BY_TESTS_OF_THEIR_OWN = {
    "event-dead-letters",
    "dead-letters",
    "doctor",
    "result-dead-letters",
    "summary-dead-letters",
    "undelivered-notifications",
    "unprocessable",
}
RUNBOOKS = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs" / "operations" / "runbooks").glob("*.md"))
    if page.stem not in RUN_BY_TESTS_OF_THEIR_OWN
    for number, (language, text) in enumerate(blocks(page))
    if language == "sh"
]


@pytest.mark.parametrize("command", RUNBOOKS)
def test_a_command_of_a_runbook_runs(operated, command):
    shell(f"set -e -o pipefail; {command}", **operated)


def test_the_runbook_finds_what_was_recorded_without_its_output(
    operated, outputs, invoke, record_of
):
    """Here places that S3 is not asked for: nothing is waited for."""
    elsewhere, nowhere = (completed(str(uuid.uuid4())) for _ in range(2))
    elsewhere["responseParameters"]["outputLocation"] = "s3://elsewhere/one.out"
    del nowhere["responseParameters"]["outputLocation"]
    for each in (elsewhere, nowhere):
        each["eventTime"] = timestamp(datetime.now(UTC))
        each["requestParameters"]["endpointName"] = "speech"
        boto3.client("sns").publish(
            TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=body(each)
        )
        record_of(each["inferenceId"])
    read = record_of(invoke()["InferenceId"])
    command = block("docs/operations/runbooks/unread-outputs.md", "sh", "python")
    shown = shell(command, **operated | {"ENDPOINT": "speech"})
    assert {
        f"{elsewhere['inferenceId']} Completed LocationNotAllowed s3://elsewhere/one.out",
        f"{nowhere['inferenceId']} Completed LocationMissing",
    } <= set(shown.splitlines())
    assert read["inference_id"] not in shown


def test_an_alarm_that_rings_is_shown_with_its_runbook(operated):
    cloudwatch = boto3.client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix="InferenceResults-")["MetricAlarms"]
    (name,) = [each["AlarmName"] for each in alarms if "ReconcileStopped" in each["AlarmName"]]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="tried")
    shown = shell(section("Which alarms ring"), **operated)
    assert "Runbook: docs/operations/runbooks/reconcile-stopped.md" in shown


def test_the_sweep_is_called_by_hand(operated):
    assert isinstance(json.loads(shell(section("Reconcile now"), **operated)), dict)


def section(heading):
    """The command of a section of the index of the runbooks."""
    text = (ROOT / "docs/operations/runbooks/README.md").read_text()
    (command,) = re.findall(rf"^## {heading}\n[^#]*?^```sh\n(.*?)^```", text, re.M | re.S)
    return command


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The commands of an environment with nothing but the package in it, as the document says."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    command = block("docs/guides/querying.md", "sh", "pip install")
    path = f"{environment}/bin:{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", command], cwd=ROOT, env=os.environ | {"PATH": path}, check=True)
    return environment / "bin"


@pytest.fixture(scope="module")
def asked_for(folder):
    """The variables that the examples use. The output is JSON, on the endpoint of the examples."""
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
def test_an_example_of_asking_works_where_the_package_is_installed(
    installed, asked_for, tmp_path, language, text
):
    run = {
        "sh": ["bash", "-e", "-o", "pipefail", "-c", text],
        "python": [installed / "python", "-W", "error", "-c", text],
    }
    environment = os.environ | asked_for
    environment["PATH"] = f"{installed}:{environment['PATH']}"
    environment["CURL_CA_BUNDLE"] = environment["AWS_CA_BUNDLE"]
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        run[language], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
