"""The state machine in docs/guides/step-functions.md."""

import json
import re
import subprocess

import pytest

from inference_results.contract import Route
from inference_results.domain.record.parameters import IDEMPOTENCY_KEY, SUBMISSION
from tests.support.cloudformation import resources
from tests.support.documents import STATE_MACHINE_FILE, state_machine_definition
from tests.support.synthesis import ROOT, run_app

HOST = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
LONGEST_ARN = f"arn:aws-us-gov:states:ap-southeast-1:123456789012:execution:{'n' * 80}:{'e' * 80}"


def task():
    return state_machine_definition()["States"]["Inference"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the template of the documented app."""
    folder = tmp_path_factory.mktemp("states")
    document = (ROOT / "docs" / "guides" / "step-functions.md").read_text()
    (app,) = re.findall(r"^```python\n(.*?)^```", document, re.M | re.S)
    (folder / "my_states.py").write_text(app)
    run_app(
        folder / "my_states.py",
        folder,
        {},
        API_URL=f"https://{HOST}",
        DEFINITION=str(STATE_MACHINE_FILE),
    )
    return folder


@pytest.fixture(scope="module")
def synthesised(folder):
    return json.loads((folder / "out" / "Nightly.template.json").read_text())


def lint(*templates):
    # W3005: the CDK writes a dependency on the role twice.
    options = ["--ignore-checks", "W3005", "--format", "parseable"]
    command = [ROOT / ".venv/bin/cfn-lint", *options, "--", *templates]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_the_state_machine_is_valid(folder, synthesised):
    template = folder / "out" / "Nightly.template.json"
    broken = template.with_name("broken.json")
    broken.write_text(json.dumps(synthesised).replace("TimeoutSeconds", "Timeout"))
    findings = lint(template, broken)
    assert "Timeout" in findings
    assert template.name not in findings


def test_its_role_can_only_submit(synthesised):
    (policy,) = resources(synthesised, "AWS::IAM::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert json.dumps(statement["Resource"]).endswith(':a1b2c3d4e5/*/POST/inferences"]]}')


def test_it_calls_the_submit_route_with_iam_authorization(synthesised):
    (machine,) = resources(synthesised, "AWS::StepFunctions::StateMachine").values()
    assert machine["Properties"]["DefinitionSubstitutions"] == {"ApiHost": HOST}
    parameters = task()["Parameters"]
    assert (parameters["ApiEndpoint"], parameters["AuthType"]) == ("${ApiHost}", "IAM_ROLE")
    assert f"{parameters['Method']} {parameters['Path']}" == Route.SUBMIT_INFERENCE


def test_its_request_is_a_valid_submission_with_a_task_token():
    body = task()["Parameters"]["RequestBody"]
    assert body["task_token.$"] == "$$.Task.Token"
    values = {
        "endpoint": "speech",
        "idempotency_key": f"{LONGEST_ARN}/3",
        "input_location": "s3://bucket/key",
        "content_type": "text/plain",
        "task_token": "token",
    }
    members = {name.removesuffix(".$"): each for name, each in body.items()}
    SUBMISSION.check({name: values.get(name, each) for name, each in members.items()})


def test_its_idempotency_key_contains_the_execution_and_fits():
    key = task()["Parameters"]["RequestBody"]["idempotency_key.$"]
    assert key == "States.Format('{}/{}', $$.Execution.Id, $.attempt)"
    IDEMPOTENCY_KEY.check(f"{LONGEST_ARN}/3")


def test_its_timeout_is_longer_than_an_inference_and_reconciliation():
    body = task()["Parameters"]["RequestBody"]
    longest = body["request_ttl_seconds"] + body["invocation_timeout_seconds"] + 600 + 5 * 60
    assert task()["TimeoutSeconds"] > longest


def test_it_retries_exactly_the_codes_that_are_documented_as_retryable():
    (caught,) = task()["Catch"]
    document = (ROOT / "docs" / "record.md").read_text()
    retryable = re.findall(r"^\| `([A-Z0-9_]+)` \|.*\| yes \|$", document, re.M)
    assert caught["ErrorEquals"] == retryable
