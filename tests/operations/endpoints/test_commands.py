"""The commands `attach` and `detach`."""

import json
import re

import pytest
from typer.testing import CliRunner

from inference_results.cli.app import app
from inference_results.cli.connection import Connection
from local.environment import ROOT
from tests.cli.terminal import use_terminal
from tests.operations.endpoints.simulated_sagemaker import ACCOUNT, ERROR, ROLE, SUCCESS

TOPICS = ("--success-topic", SUCCESS, "--error-topic", ERROR)
FOREIGN = f"arn:aws:sns:us-east-1:{ACCOUNT}:of-another-service"


@pytest.fixture
def run(cloud, session, monkeypatch):
    """Run commands without an API URL and without a table."""
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
    use_terminal(monkeypatch)


def test_without_apply_the_changes_are_shown_and_not_applied(run, cloud, endpoint):
    for words in ((), ("--dry-run",)):
        result = run("attach", "speech", *TOPICS, *words)
        assert result.exit_code == 0
        first, *others = result.stdout.splitlines()
        assert first.startswith("EndpointConfigName\tspeech-1\tspeech-1-attached-")
        inner = "AsyncInferenceConfig.OutputConfig.NotificationConfig"
        assert others == [
            f"{inner}.SuccessTopic\t{FOREIGN}\t{SUCCESS}",
            f"{inner}.ErrorTopic\t\t{ERROR}",
        ]
        assert result.stderr == "nothing was changed: use --apply to apply the changes\n"
    assert cloud.changes() == []


def test_apply_updates_the_endpoint_and_says_so(run, endpoint):
    result = run("attach", "speech", *TOPICS, "--apply")
    assert result.exit_code == 0
    assert result.stderr == f"speech: in service with {endpoint()}\n"
    assert endpoint().startswith("speech-1-attached-")


def test_attaching_an_attached_endpoint_changes_nothing(run, cloud, endpoint):
    run("attach", "speech", *TOPICS, "--apply")
    cloud.requests.clear()
    result = run("attach", "speech", *TOPICS, "--apply")
    assert (result.exit_code, result.stdout, cloud.changes()) == (0, "", [])
    assert "nothing to change" in result.stderr


def test_detach_shows_the_changes_and_applies_them_with_apply(run, endpoint):
    run("attach", "speech", *TOPICS, "--apply")
    attached = endpoint()
    result = run("detach", "speech")
    assert f"EndpointConfigName\t{attached}\tspeech-1\n" in result.stdout
    assert endpoint() == attached
    assert run("detach", "speech", "--apply").exit_code == 0
    assert endpoint() == "speech-1"


def test_attach_warns_about_an_endpoint_managed_by_cloudformation(run, cloud, sagemaker, endpoint):
    arn = sagemaker.describe_endpoint(EndpointName="speech")["EndpointArn"]
    tag = {"Key": "aws:cloudformation:stack-name", "Value": "endpoints"}
    sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    first, _ = run("attach", "speech", *TOPICS).stderr.splitlines()
    assert first.startswith("speech: the CloudFormation stack endpoints manages it")


def test_include_response_accepts_short_topic_names(run, cloud, endpoint):
    words = ("--include-response", "error", "--include-response", "SUCCESS", "--apply")
    run("attach", "speech", *TOPICS, *words)
    output = cloud.request("CreateEndpointConfig")["AsyncInferenceConfig"]["OutputConfig"]
    assert output["NotificationConfig"]["IncludeInferenceResponseIn"] == [
        "ERROR_NOTIFICATION_TOPIC",
        "SUCCESS_NOTIFICATION_TOPIC",
    ]


def test_the_endpoint_can_be_set_before_the_command(run, endpoint):
    assert run("--endpoint", "speech", "attach", *TOPICS).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("attach", "speech"),
        ("attach", "speech", "--success-topic", SUCCESS),
        ("attach", "speech", "--stack", "results", *TOPICS),
        ("attach", "speech", "--stack", "results", "--error-topic", ERROR),
        ("attach", *TOPICS),
        ("detach",),
        ("attach", "speech", *TOPICS, "--include-response", "BOTH"),
        ("attach", "speech", *TOPICS, "--failure-path", "failures"),
        ("attach", "speech", "--success-topic", "completed", "--error-topic", "failed"),
        ("attach", "no name", *TOPICS),
        ("detach", "\udcff"),
    ],
)
def test_invalid_usage_is_rejected_before_aws_is_called(run, cloud, words):
    result = run(*words)
    assert (result.exit_code, result.stdout, cloud.requests) == (2, "", [])
    assert "Traceback" not in result.stderr


def test_a_role_without_permissions_exits_with_5_and_the_missing_statements(run, cloud, endpoint):
    cloud.denied = {(ROLE, ERROR)}
    for words in ((), ("--apply",)):
        result = run("attach", "speech", *TOPICS, *words)
        assert result.exit_code == 5
        assert "EndpointConfigName" in result.stdout
        advice, error = result.stderr.splitlines()
        start, _, statements = advice.partition(" to its policy: ")
        assert start == f"{ROLE}: add these statements"
        assert json.loads(statements)[0]["Resource"] == [ERROR]
        assert error == f"speech: these execution roles lack permissions: {ROLE}"
    assert cloud.changes() == []


def test_attach_continues_if_permissions_cannot_be_checked(run, cloud, endpoint):
    cloud.errors["SimulatePrincipalPolicy"] = "AccessDenied"
    result = run("attach", "speech", *TOPICS, "--apply")
    assert result.exit_code == 0
    assert f"{ROLE}: could not check its permissions (AccessDenied)" in result.stderr
    assert f"aws iam simulate-principal-policy --policy-source-arn {ROLE}" in result.stderr


def test_a_rollback_exits_with_1_and_the_reason(run, cloud, endpoint):
    cloud.denied_topics = {SUCCESS}
    result = run("attach", "speech", *TOPICS, "--apply")
    assert result.exit_code == 1
    assert "InService with speech-1: The provided role" in result.stderr
    assert endpoint() == "speech-1"


def test_an_update_beyond_the_timeout_exits_with_4(run, cloud, endpoint):
    cloud.plane.updating_seconds = 100
    result = run("attach", "speech", *TOPICS, "--apply", "--timeout", "0")
    assert result.exit_code == 4
    assert result.stderr == "speech: still Updating after 0 s; the update continues\n"


def test_the_documented_permissions_are_those_that_are_used(run, cloud, endpoint):
    document = (ROOT / "docs" / "operations" / "attaching.md").read_text()
    (policy,) = re.findall(r"^```json\n(.*?)^```", document, re.M | re.S)
    documented = {
        each["Sid"]: {action for action in each["Action"] if action.startswith("sagemaker:")}
        for each in json.loads(policy)["Statement"]
    }

    def used():
        return {f"sagemaker:{operation}" for operation, _ in cloud.requests}

    run("attach", "speech", *TOPICS)
    assert used() == documented["Show"]
    run("attach", "speech", *TOPICS, "--apply")
    run("detach", "speech", "--apply")
    # CreateEndpointConfig with tags requires AddTags.
    assert used() | {"sagemaker:AddTags"} == documented["Show"] | documented["Apply"]


@pytest.mark.parametrize("words", [("attach", *TOPICS), ("detach",)])
def test_an_unknown_endpoint_exits_with_3(run, words):
    command, *options = words
    result = run(command, "unknown", *options)
    assert (result.exit_code, result.stderr) == (
        3,
        "unknown: no such endpoint in this account and region\n",
    )


def test_detaching_an_endpoint_that_was_not_attached_exits_with_5(run, endpoint):
    result = run("detach", "speech")
    assert (result.exit_code, result.stderr.count("\n")) == (5, 1)


def test_an_aws_error_is_one_line(run, cloud, endpoint):
    cloud.errors["ListTags"] = "AccessDeniedException"
    result = run("attach", "speech", *TOPICS)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == "ListTags: AccessDeniedException: not\\ntoday\n"


def test_a_missing_region_is_reported_in_one_line(run, monkeypatch):
    monkeypatch.undo()
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    result = run("attach", "speech", *TOPICS)
    assert (result.exit_code, result.stderr) == (5, "You must specify a region.\n")


def test_a_terminal_shows_a_diff_on_stdout_and_progress_on_stderr(
    run, endpoint, terminal, monkeypatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    result = run("attach", "speech", *TOPICS, "--apply")
    topic, before, after = result.stdout.splitlines()[3:6]
    assert topic == "AsyncInferenceConfig.OutputConfig.NotificationConfig.SuccessTopic"
    assert (before, after) == (f"  - {FOREIGN}", f"  + {SUCCESS}")
    assert "InService" in result.stderr
    assert "InService" not in result.stdout
