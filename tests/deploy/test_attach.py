"""`inference-results attach` and `detach`, on an endpoint of the simulated SageMaker."""

import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.contract import StackOutput
from inference_results.operations.endpoints.attach import ATTACHED_FROM_TAG
from local.deployment import FAILURE_PREFIX, OUTPUT_BUCKET
from local.environment import ACCOUNT, ATTACHER_ROLE, READER_ROLE, ROOT
from tests.deploy.endpoint import Endpoint
from tests.deploy.inferences import object_exists
from tests.support.waiting import eventually

STACK = "InferenceResults"
READER_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{READER_ROLE}"


def run(*words, profile=ATTACHER_ROLE, code=0):
    """Run the command with a profile and without the API's URL; return stdout and stderr."""
    command = Path(sys.executable).with_name("inference-results")
    environment = {name: each for name, each in os.environ.items() if "API_URL" not in name}
    done = subprocess.run(
        [command, "--profile", profile, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def credentials_of(profile):
    frozen = boto3.Session(profile_name=profile).get_credentials().get_frozen_credentials()
    return {
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
        "AWS_SESSION_TOKEN": frozen.token,
    }


def test_attach_and_detach_an_endpoint(invoke, wait_for_record, api, outputs):
    endpoint = Endpoint()
    former = endpoint.config_name

    before = invoke(EndpointName=endpoint.name)
    assert "FailureLocation" not in before
    eventually(lambda: object_exists(before["OutputLocation"]))

    stdout, stderr = run("attach", endpoint.name, "--stack", STACK)
    assert f"SuccessTopic\t\t{outputs[StackOutput.SUCCESS_TOPIC_ARN]}\n" in stdout
    assert "use --apply to apply the changes" in stderr
    assert endpoint.config_name == former

    failure_path = f"s3://{OUTPUT_BUCKET}/{FAILURE_PREFIX}{endpoint.name}/"
    options = ("--failure-path", failure_path, "--include-response", "ERROR")
    run("attach", endpoint.name, "--stack", STACK, *options, "--apply")
    fields, tags = endpoint.config(endpoint.config_name)
    old_fields, old_tags = endpoint.config(former)
    assert tags == {**old_tags, ATTACHED_FROM_TAG: former}
    assert fields["ProductionVariants"] == old_fields["ProductionVariants"]

    after = invoke(EndpointName=endpoint.name)["InferenceId"]
    assert wait_for_record(after)["status"] == "Completed"
    failed = invoke(custom_attributes="simulate-failure=500", EndpointName=endpoint.name)
    assert failed["FailureLocation"].startswith(failure_path)
    assert (
        wait_for_record(failed["InferenceId"])["failure"]["location"] == failed["FailureLocation"]
    )
    assert api.get(before["InferenceId"])[0] == 404

    _, stderr = run("attach", endpoint.name, "--stack", STACK, "--apply")
    assert "nothing to change" in stderr

    stdout, _ = run("detach", endpoint.name)
    assert f"SuccessTopic\t{outputs[StackOutput.SUCCESS_TOPIC_ARN]}\t\n" in stdout
    run("detach", endpoint.name, "--apply")
    assert endpoint.config_name == former
    run("detach", endpoint.name, "--apply", code=5)


def test_the_documented_commands_work():
    endpoint = Endpoint()
    former = endpoint.config_name
    (commands,) = re.findall(
        r"^```sh\n(.*?)^```",
        (ROOT / "docs" / "operations" / "attaching.md").read_text(),
        re.M | re.S,
    )
    variables = {"ENDPOINT": endpoint.name, **credentials_of(ATTACHER_ROLE)}
    variables["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", commands],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "in service with" in line]
    assert ["nothing to change" in line for line in lines] == [False, True, False, False]
    assert endpoint.config_name == former


def test_a_role_without_sns_publish_is_reported_before_any_change():
    endpoint = Endpoint(role_arn=READER_ROLE_ARN)
    former = endpoint.config_name
    _, stderr = run("attach", endpoint.name, "--stack", STACK, "--apply", code=5)
    assert f"{READER_ROLE_ARN}: add these statements to its policy" in stderr
    assert endpoint.config_name == former


def test_attach_continues_if_it_cannot_simulate_permissions(outputs):
    topics = (
        *("--success-topic", outputs[StackOutput.SUCCESS_TOPIC_ARN]),
        *("--error-topic", outputs[StackOutput.ERROR_TOPIC_ARN]),
    )
    endpoint = Endpoint(role_arn=READER_ROLE_ARN)
    words = ("attach", endpoint.name, *topics, "--apply")
    _, stderr = run(*words, profile=READER_ROLE, code=1)
    assert "aws iam simulate-principal-policy" in stderr
    assert f"the endpoint is InService with {endpoint.name}-1: The provided role" in stderr


def test_a_denied_stack_is_reported_on_one_line():
    _, stderr = run("attach", "speech", "--stack", STACK, profile=READER_ROLE, code=5)
    assert "AccessDenied" in stderr
    assert stderr.count("\n") == 1


def test_the_simulated_sagemaker_fails_an_endpoint_whose_role_cannot_publish(outputs):
    topics = {"NotificationConfig": {"SuccessTopic": outputs[StackOutput.SUCCESS_TOPIC_ARN]}}
    endpoint = Endpoint(role_arn=READER_ROLE_ARN, output=topics)
    assert endpoint.described["EndpointStatus"] == "Failed"
    with pytest.raises(ClientError, match="ValidationError"):
        boto3.client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName=endpoint.name, Body=b"x"
        )
