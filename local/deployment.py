"""What the embedded account holds: a bucket and roles by boto3, the rest by `cdk deploy`."""

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
from infra.settings import DEFAULT_VARIANT, NEWEST_RUNTIME, Runtime
from local.environment import (
    ACCOUNT,
    EXECUTION_ROLE,
    EXECUTION_ROLE_ARN,
    OPERATOR_ROLE,
    READER_ROLE,
    REGION,
    ROOT,
    SUBMITTER_ROLE,
    WIRER_ROLE,
    LocalFolder,
)

OUTPUT_BUCKET: Final = "async-inference-results-local"
OUTPUT_PREFIX: Final = "async-output/"
FAILURE_PREFIX: Final = "async-failures/"
INPUT_PREFIX: Final = "async-input/"
ENDPOINTS: Final = ("speech", "ocr", "vision")
"""Watched, and may be invoked through the API; created on the pretended control plane."""
STATE_MACHINE: Final = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:waiting"
"""May hand over tasks; who wants one creates it under this name."""

STACK: Final = "InferenceResults"
ANSWERING_POLICY: Final = "answering"

_ARCHITECTURES: Final = {"amd64": "x86_64", "aarch64": "arm64"}
"""Lambda's name where the machine has another."""


class DeployError(RuntimeError):
    """A command of the CDK failed; the text names its log."""


def create_account_resources() -> None:
    """The bucket and the roles that exist before the stack does. Repeating it changes nothing."""
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
    ask = (f"{api}/GET/*", f"{api}/POST/inferences:batchGet")
    _put_role(READER_ROLE, _allow(["execute-api:Invoke"], *ask))
    submit = (f"{api}/POST/inferences", f"{api}/PUT/*")
    _put_role(SUBMITTER_ROLE, _allow(["execute-api:Invoke"], *ask, *submit))
    stacks = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/*"
    _put_role(
        WIRER_ROLE,
        # MiniStack does not tell roles apart here; in an account, name the execution roles.
        _allow(["iam:SimulatePrincipalPolicy"], "*"),
        _allow(["cloudformation:DescribeStacks"], stacks),
    )
    _put_role(
        OPERATOR_ROLE,
        *_documented_rights("docs/operations/dead-letters.md"),
        # MiniStack does not tell streams apart.
        _allow(["dynamodb:GetRecords", "dynamodb:GetShardIterator"], "*"),
    )


def deploy(folder: LocalFolder) -> None:
    """Bootstrap, run `cdk deploy` with `local.app`, and write `outputs.json`.

    Raises DeployError.
    """
    cdk = str(ROOT / "node_modules" / ".bin" / "cdk")
    # Outside the project, or bootstrap would synthesise the app too.
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
        _complete(outputs[table])
    outputs |= {"OutputBucket": OUTPUT_BUCKET, "OutputPrefix": OUTPUT_PREFIX}
    _let_tasks_be_answered()
    folder.outputs_file.write_text(json.dumps(outputs, indent=2) + "\n")


def create_endpoints(outputs: Mapping[str, str]) -> None:
    """What an account has that uses the stack: a model, and endpoints that notify it."""
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


def _complete(table_name: str) -> None:
    """What MiniStack does not take from the template of a table."""
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


def _let_tasks_be_answered() -> None:
    """MiniStack cannot tell of which state machine a token is, and so refuses what names one."""
    found = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    (role,) = [
        each["PhysicalResourceId"]
        for each in found["StackResources"]
        if each["ResourceType"] == "AWS::IAM::Role"
        and "EventPublisher" in each["LogicalResourceId"]
    ]
    answer = _allow(["states:SendTaskFailure", "states:SendTaskSuccess"], "*")
    boto3.client("iam").put_role_policy(
        RoleName=role, PolicyName=ANSWERING_POLICY, PolicyDocument=_policy(answer)
    )


def _runtime() -> str:
    """The embedded Lambda runs every function with the interpreter at hand, whatever is said."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return version if version in get_args(Runtime) else NEWEST_RUNTIME


def _reachable(api_url: str) -> str:
    """MiniStack names the API by a host that no resolver knows; this path leads to it as well."""
    api_id, _, gateway = api_url.removeprefix("https://").partition(".execute-api.")
    return f"https://{gateway}/_aws/execute-api/{api_id}/$default"


def _run(command: list[str], directory: Path, log: Path) -> None:
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=directory, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        raise DeployError(f"{' '.join(command[:2])} failed; see {log}")


def _documented_rights(document: str) -> list[dict[str, Any]]:
    """The statements of the policy that a document shows, so that it cannot be wrong."""
    _, _, text = (ROOT / document).read_text().partition("```json\n")
    statements: list[dict[str, Any]] = json.loads(text.partition("```")[0])["Statement"]
    return statements


def _put_role(name: str, *statements: dict[str, Any]) -> None:
    """A role that the account's own root, and so the profile of its name, may assume."""
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
