"""The embedded account: a bucket and roles, the deployed stack, and endpoints that use it."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, get_args

import boto3

from inference_results.contract import Attribute, StackOutput
from infra.setting_types import NEWEST_RUNTIME, Runtime
from infra.settings import DEFAULT_VARIANT
from local.environment import (
    ACCOUNT,
    ATTACHER_ROLE,
    EXECUTION_ROLE,
    EXECUTION_ROLE_ARN,
    OPERATOR_ROLE,
    READER_ROLE,
    REGION,
    ROOT,
    SUBMITTER_ROLE,
    LocalFolder,
)

OUTPUT_BUCKET: Final = "async-inference-results-local"
OUTPUT_PREFIX: Final = "async-output/"
FAILURE_PREFIX: Final = "async-failures/"
INPUT_PREFIX: Final = "async-input/"
ENDPOINTS: Final = ("speech", "ocr", "vision")
"""Endpoints of the simulated SageMaker, which the settings watch and allow to submit to."""
STATE_MACHINE: Final = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:waiting"
"""The state machine whose tasks the service completes. Tests create it under this name."""

STACK: Final = "InferenceResults"
TASK_POLICY: Final = "complete-tasks"

_ARCHITECTURES: Final = {"amd64": "x86_64", "aarch64": "arm64"}
"""Lambda's names for machine types that have another name."""


class DeployError(RuntimeError):
    """A CDK command failed. The message names its log."""


def create_account_resources() -> None:
    """Create the bucket and the roles that the stack expects. This is idempotent."""
    s3 = boto3.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=OUTPUT_BUCKET)
    s3.put_bucket_versioning(Bucket=OUTPUT_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    bucket = f"arn:aws:s3:::{OUTPUT_BUCKET}"
    _put_role(
        EXECUTION_ROLE,
        _allow(["s3:GetObject"], f"{bucket}/{INPUT_PREFIX}*"),
        _allow(["s3:PutObject"], f"{bucket}/{OUTPUT_PREFIX}*", f"{bucket}/{FAILURE_PREFIX}*"),
    )
    api = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*/*"
    read_routes = (f"{api}/GET/*", f"{api}/POST/inferences:batchGet")
    _put_role(READER_ROLE, _allow(["execute-api:Invoke"], *read_routes))
    submit_routes = (f"{api}/POST/inferences", f"{api}/PUT/*")
    _put_role(SUBMITTER_ROLE, _allow(["execute-api:Invoke"], *read_routes, *submit_routes))
    stacks = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/*"
    _put_role(
        ATTACHER_ROLE,
        # MiniStack ignores the resource here. In an account, name the execution roles.
        _allow(["iam:SimulatePrincipalPolicy"], "*"),
        _allow(["cloudformation:DescribeStacks"], stacks),
    )
    _put_role(
        OPERATOR_ROLE,
        *_documented_statements("docs/operations/dead-letters.md"),
        # MiniStack ignores the stream's ARN.
        _allow(["dynamodb:GetRecords", "dynamodb:GetShardIterator"], "*"),
    )


def deploy(folder: LocalFolder) -> None:
    """Bootstrap the account, deploy `local.app` and write `outputs.json`. Raises DeployError."""
    cdk = str(ROOT / "node_modules" / ".bin" / "cdk")
    # Run outside the project, because bootstrap would synthesise the app there.
    bootstrap = [cdk, "bootstrap", f"aws://{ACCOUNT}/{REGION}"]
    _run(bootstrap, folder.path, folder.path / "bootstrap.log")
    machine = platform.machine().lower()
    context = {
        "output_prefixes": ",".join(
            f"s3://{OUTPUT_BUCKET}/{prefix}" for prefix in (OUTPUT_PREFIX, FAILURE_PREFIX)
        ),
        "execution_role_arns": EXECUTION_ROLE_ARN,
        "runtime": _runtime(),
        "architecture": _ARCHITECTURES.get(machine, machine),
        "retain": "false",
        "submit_endpoints": ",".join(ENDPOINTS),
        "state_machine_arns": STATE_MACHINE,
        "watched_endpoints": ",".join(ENDPOINTS),
        "input_prefix": f"s3://{OUTPUT_BUCKET}/{INPUT_PREFIX}",
        "reconcile_minutes": "1",
        "overdue_slack_seconds": "0",
    }
    outputs_file = folder.path / "cdk-outputs.json"
    options = ["--output", str(folder.path / "cdk.out"), "--outputs-file", str(outputs_file)]
    options += ["--app", f"{sys.executable} -m local.app"]
    settings = [word for name, value in context.items() for word in ("-c", f"{name}={value}")]
    _run(
        [cdk, "deploy", "--require-approval", "never", *options, *settings],
        ROOT,
        folder.path / "deploy.log",
    )
    (outputs,) = json.loads(outputs_file.read_text()).values()
    outputs[StackOutput.API_URL] = _reachable(outputs[StackOutput.API_URL])
    for table in (StackOutput.TABLE_NAME, StackOutput.SUMMARIES_TABLE_NAME):
        _add_missing_table_settings(outputs[table])
    outputs |= {"OutputBucket": OUTPUT_BUCKET, "OutputPrefix": OUTPUT_PREFIX}
    _allow_completing_tasks()
    folder.outputs_file.write_text(json.dumps(outputs, indent=2) + "\n")


def create_endpoints(outputs: Mapping[str, str]) -> None:
    """Create a model, and endpoints that notify the stack's topics."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model(ModelName="simulated", ExecutionRoleArn=EXECUTION_ROLE_ARN)
    sagemaker.create_endpoint_config(
        EndpointConfigName="simulated",
        ProductionVariants=[{"VariantName": DEFAULT_VARIANT, "ModelName": "simulated"}],
        AsyncInferenceConfig={
            "OutputConfig": {
                "S3OutputPath": f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX}",
                "S3FailurePath": f"s3://{OUTPUT_BUCKET}/{FAILURE_PREFIX}",
                "NotificationConfig": {
                    "SuccessTopic": outputs[StackOutput.SUCCESS_TOPIC_ARN],
                    "ErrorTopic": outputs[StackOutput.ERROR_TOPIC_ARN],
                },
            }
        },
    )
    for name in ENDPOINTS:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="simulated")
    for name in ENDPOINTS:
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=name, WaiterConfig={"Delay": 1}
        )


def _add_missing_table_settings(table_name: str) -> None:
    """Apply the settings that MiniStack ignores in a table's template."""
    dynamodb = boto3.client("dynamodb")
    expiry = dynamodb.describe_time_to_live(TableName=table_name)["TimeToLiveDescription"]
    if expiry["TimeToLiveStatus"] == "DISABLED":
        dynamodb.update_time_to_live(
            TableName=table_name,
            TimeToLiveSpecification={"AttributeName": Attribute.EXPIRES_AT, "Enabled": True},
        )
    dynamodb.update_continuous_backups(
        TableName=table_name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def _allow_completing_tasks() -> None:
    """Allow it for all state machines, because MiniStack cannot match a token to one."""
    found = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    (role,) = [
        each["PhysicalResourceId"]
        for each in found["StackResources"]
        if each["ResourceType"] == "AWS::IAM::Role"
        and "EventPublisher" in each["LogicalResourceId"]
    ]
    statement = _allow(["states:SendTaskFailure", "states:SendTaskSuccess"], "*")
    boto3.client("iam").put_role_policy(
        RoleName=role, PolicyName=TASK_POLICY, PolicyDocument=_policy(statement)
    )


def _runtime() -> str:
    """Name this interpreter's runtime: the embedded Lambda runs all functions with it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return version if version in get_args(Runtime) else NEWEST_RUNTIME


def _reachable(api_url: str) -> str:
    """Replace the API's host name, which does not resolve, by MiniStack's path for it."""
    api_id, _, gateway = api_url.removeprefix("https://").partition(".execute-api.")
    return f"https://{gateway}/_aws/execute-api/{api_id}/$default"


def _run(command: list[str], directory: Path, log: Path) -> None:
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=directory, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        raise DeployError(f"{' '.join(command[:2])} failed; see {log}")


def _documented_statements(document: str) -> list[dict[str, Any]]:
    """Read the statements of the policy that a document shows, which tests it too."""
    _, _, text = (ROOT / document).read_text().partition("```json\n")
    statements: list[dict[str, Any]] = json.loads(text.partition("```")[0])["Statement"]
    return statements


def _put_role(name: str, *statements: dict[str, Any]) -> None:
    """Create a role that the account's root, and so the profile of its name, can assume."""
    iam = boto3.client("iam")
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": root}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_policy(*statements))


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
