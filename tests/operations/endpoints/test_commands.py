"""The commands `wire` and `unwire`."""

import json
import re

import pytest
from typer.testing import CliRunner

from inference_results.cli.app import app
from inference_results.cli.connection import Connection
from local.environment import ROOT
from tests.operations.endpoints.simulated_sagemaker import ACCOUNT, ERROR, ROLE, SUCCESS

TOPICS = ("--success-topic", SUCCESS, "--error-topic", ERROR)
FOREIGN = f"arn:aws:sns:us-east-1:{ACCOUNT}:of-another-service"


@pytest.fixture
def run(cloud, session, monkeypatch):
    """Without the URL of an API, and without a table."""
    for name in ("API_URL", "TABLE"):
        monkeypatch.delenv(f"INFERENCE_RESULTS_{name}", raising=False)
    monkeypatch.setattr(Connection, "session", lambda connection: session)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def endpoint(cloud, sagemaker):
    sagemaker.create_model(ModelName="speech", ExecutionRoleArn=ROLE)
    sagemaker.create_endpoint_config(
        EndpointConfigName="speech-1",
        ProductionVariants=[{"VariantName": "all", "ModelName": "speech"}],
        AsyncInferenceConfig={
            "OutputConfig": {
                "S3OutputPath": "s3://bucket/out/",
                "S3FailurePath": "s3://bucket/failures/",
                "NotificationConfig": {"SuccessTopic": FOREIGN},
            }
        },
    )
    sagemaker.create_endpoint(EndpointName="speech", EndpointConfigName="speech-1")
    sagemaker.describe_endpoint(EndpointName="speech")
    cloud.requests.clear()
    return lambda: sagemaker.describe_endpoint(EndpointName="speech")["EndpointConfigName"]


@pytest.fixture
def terminal(monkeypatch):
    for module in ("terminal", "tables", "endpoints_output"):
        monkeypatch.setattr(f"inference_results.cli.{module}.is_terminal", lambda stream: True)


def test_without_apply_the_differences_are_shown_and_nothing_is_changed(run, cloud, endpoint):
    for words in ((), ("--dry-run",)):
        result = run("wire", "speech", *TOPICS, *words)
        assert result.exit_code == 0
        first, *others = result.stdout.splitlines()
        assert first.startswith("EndpointConfigName\tspeech-1\tspeech-1-wired-")
        inner = "AsyncInferenceConfig.OutputConfig.NotificationConfig"
        assert others == [
            f"{inner}.SuccessTopic\t{FOREIGN}\t{SUCCESS}",
            f"{inner}.ErrorTopic\t\t{ERROR}",
        ]
        assert result.stderr == "nothing was changed: --apply does it\n"
    assert cloud.changes() == []


def test_with_apply_it_is_done_and_said(run, endpoint):
    result = run("wire", "speech", *TOPICS, "--apply")
    assert result.exit_code == 0
    assert result.stderr == f"speech: in service with {endpoint()}\n"
    assert endpoint().startswith("speech-1-wired-")


def test_a_wired_endpoint_is_nothing_to_change(run, cloud, endpoint):
    run("wire", "speech", *TOPICS, "--apply")
    cloud.requests.clear()
    result = run("wire", "speech", *TOPICS, "--apply")
    assert (result.exit_code, result.stdout, cloud.changes()) == (0, "", [])
    assert "nothing to change" in result.stderr


def test_unwire_shows_the_way_back_and_goes_it_with_apply(run, endpoint):
    run("wire", "speech", *TOPICS, "--apply")
    wired = endpoint()
    result = run("unwire", "speech")
    assert f"EndpointConfigName\t{wired}\tspeech-1\n" in result.stdout
    assert endpoint() == wired
    assert run("unwire", "speech", "--apply").exit_code == 0
    assert endpoint() == "speech-1"


def test_what_one_may_not_expect_is_said(run, cloud, sagemaker, endpoint):
    arn = sagemaker.describe_endpoint(EndpointName="speech")["EndpointArn"]
    tag = {"Key": "aws:cloudformation:stack-name", "Value": "endpoints"}
    sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    first, _ = run("wire", "speech", *TOPICS).stderr.splitlines()
    assert first.startswith("speech: CloudFormation manages it, in the stack endpoints,")


def test_the_responses_that_are_to_be_included_are_named_in_short(run, cloud, endpoint):
    words = ("--include-response", "error", "--include-response", "SUCCESS", "--apply")
    run("wire", "speech", *TOPICS, *words)
    output = cloud.request("CreateEndpointConfig")["AsyncInferenceConfig"]["OutputConfig"]
    assert output["NotificationConfig"]["IncludeInferenceResponseIn"] == [
        "ERROR_NOTIFICATION_TOPIC",
        "SUCCESS_NOTIFICATION_TOPIC",
    ]


def test_the_endpoint_may_be_named_before_the_command(run, endpoint):
    assert run("--endpoint", "speech", "wire", *TOPICS).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("wire", "speech"),
        ("wire", "speech", "--success-topic", SUCCESS),
        ("wire", "speech", "--stack", "results", *TOPICS),
        ("wire", "speech", "--stack", "results", "--error-topic", ERROR),
        ("wire", *TOPICS),
        ("unwire",),
        ("wire", "speech", *TOPICS, "--include-response", "BOTH"),
        ("wire", "speech", *TOPICS, "--failure-path", "failures"),
        ("wire", "speech", "--success-topic", "completed", "--error-topic", "failed"),
        ("wire", "no name", *TOPICS),
        ("unwire", "\udcff"),
    ],
)
def test_a_call_that_is_wrong_is_refused_before_anything_is_asked(run, cloud, words):
    result = run(*words)
    assert (result.exit_code, result.stdout, cloud.requests) == (2, "", [])
    assert "Traceback" not in result.stderr


def test_a_role_that_lacks_a_right_ends_with_5_and_the_statement_to_add(run, cloud, endpoint):
    cloud.denied = {(ROLE, ERROR)}
    for words in ((), ("--apply",)):
        result = run("wire", "speech", *TOPICS, *words)
        assert result.exit_code == 5
        assert "EndpointConfigName" in result.stdout
        statement, refusal = result.stderr.splitlines()
        start, _, statements = statement.partition(" of it: ")
        assert start == f"{ROLE}: add to a policy"
        assert json.loads(statements)[0]["Resource"] == [ERROR]
        assert refusal == f"speech: these execution roles lack permissions: {ROLE}"
    assert cloud.changes() == []


def test_rights_that_cannot_be_checked_are_no_obstacle(run, cloud, endpoint):
    cloud.errors["SimulatePrincipalPolicy"] = "AccessDenied"
    result = run("wire", "speech", *TOPICS, "--apply")
    assert result.exit_code == 0
    assert f"{ROLE}: its rights could not be checked (AccessDenied)" in result.stderr
    assert f"aws iam simulate-principal-policy --policy-source-arn {ROLE}" in result.stderr


def test_a_rollback_ends_with_1_and_its_reason(run, cloud, endpoint):
    cloud.unpublishable = {SUCCESS}
    result = run("wire", "speech", *TOPICS, "--apply")
    assert result.exit_code == 1
    assert "InService with speech-1: The provided role" in result.stderr
    assert endpoint() == "speech-1"


def test_an_update_that_takes_too_long_ends_with_4(run, cloud, endpoint):
    cloud.plane.updating_seconds = 100
    result = run("wire", "speech", *TOPICS, "--apply", "--timeout", "0")
    assert result.exit_code == 4
    assert result.stderr == "speech: still Updating after 0 s; the update continues\n"


def test_the_documented_rights_are_those_that_are_used(run, cloud, endpoint):
    document = (ROOT / "docs" / "operations" / "attaching.md").read_text()
    (policy,) = re.findall(r"^```json\n(.*?)^```", document, re.M | re.S)
    documented = {
        each["Sid"]: {action for action in each["Action"] if action.startswith("sagemaker:")}
        for each in json.loads(policy)["Statement"]
    }

    def used():
        return {f"sagemaker:{operation}" for operation, _ in cloud.requests}

    run("wire", "speech", *TOPICS)
    assert used() == documented["Show"]
    run("wire", "speech", *TOPICS, "--apply")
    run("unwire", "speech", "--apply")
    # Of CreateEndpointConfig with tags.
    assert used() | {"sagemaker:AddTags"} == documented["Show"] | documented["Apply"]


@pytest.mark.parametrize("words", [("wire", *TOPICS), ("unwire",)])
def test_an_unknown_endpoint_ends_with_3(run, words):
    command, *options = words
    result = run(command, "unknown", *options)
    assert (result.exit_code, result.stderr) == (
        3,
        "unknown: no such endpoint in this account and region\n",
    )


def test_an_endpoint_that_was_not_wired_ends_with_5(run, endpoint):
    result = run("unwire", "speech")
    assert (result.exit_code, result.stderr.count("\n")) == (5, 1)


def test_what_aws_refuses_is_one_line(run, cloud, endpoint):
    cloud.errors["ListTags"] = "AccessDeniedException"
    result = run("wire", "speech", *TOPICS)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == "ListTags: AccessDeniedException: not\\ntoday\n"


def test_without_a_region_it_is_one_line(run, monkeypatch):
    monkeypatch.undo()
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    result = run("wire", "speech", *TOPICS)
    assert (result.exit_code, result.stderr) == (5, "You must specify a region.\n")


def test_on_a_terminal_the_differences_have_lines_and_the_progress_is_beside_them(
    run, endpoint, terminal, monkeypatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    result = run("wire", "speech", *TOPICS, "--apply")
    topic, before, after = result.stdout.splitlines()[3:6]
    assert topic == "AsyncInferenceConfig.OutputConfig.NotificationConfig.SuccessTopic"
    assert (before, after) == (f"  - {FOREIGN}", f"  + {SUCCESS}")
    assert "InService" in result.stderr
    assert "InService" not in result.stdout
