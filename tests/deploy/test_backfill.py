"""`inference-results backfill`, run by a role with the policy in docs/operations/backfill.md."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from inference_results.client import Client
from inference_results.contract import StackOutput
from inference_results.domain.reconciliation.backfill import backfill_id
from inference_results.domain.record.location import Location
from local.deployment import OUTPUT_BUCKET
from local.environment import ACCOUNT
from tests.deploy.documented_policies import BACKFILL, backfill_policy
from tests.support.documents import blocks
from tests.support.samples import body, completed
from tests.support.waiting import eventually

ROLE = "backfill"
COMMAND = str(Path(sys.executable).with_name("inference-results"))
FRESH = ("--since", "1h", "--until", "2100-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def as_role(folder):
    """Environment variables with credentials of a role that has the documented policy."""
    table = folder.outputs()[StackOutput.TABLE_NAME]
    policy = backfill_policy(table)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    iam = boto3.client("iam")
    role = iam.create_role(
        RoleName=ROLE,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=policy)
    credentials = boto3.client("sts").assume_role(
        RoleArn=role["Role"]["Arn"], RoleSessionName="test"
    )["Credentials"]
    return os.environ | {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "INFERENCE_RESULTS_TABLE": table,
        "INFERENCE_RESULTS_SHARDS": folder.outputs()[StackOutput.SHARDS],
    }


@pytest.fixture
def prefix(outputs):
    """A unique prefix below the output prefix."""
    return Location(OUTPUT_BUCKET, f"{outputs['OutputPrefix']}{uuid.uuid4().hex}/")


@pytest.fixture
def put(prefix):
    s3 = boto3.client("s3")

    def put(*names):
        with ThreadPoolExecutor(8) as pool:
            keys = (prefix.key + name for name in names)
            list(
                pool.map(lambda key: s3.put_object(Bucket=prefix.bucket, Key=key, Body=b"42"), keys)
            )

    return put


@pytest.fixture
def run(as_role, prefix):
    def run(*options):
        command = [COMMAND, "backfill", "--prefix", prefix.uri, *FRESH, *options]
        return subprocess.run(command, env=as_role, capture_output=True, text=True, check=False)

    return run


def counts(done):
    assert done.returncode == 0, done.stderr
    return {name: int(n) for name, n in (line.split("\t") for line in done.stdout.splitlines())}


def recorded_below(table_name, prefix):
    """Return the output locations below a prefix that records point to."""
    pages = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=table_name,
            FilterExpression="begins_with(#output.#location, :prefix)",
            ExpressionAttributeNames={"#output": "output", "#location": "location"},
            ExpressionAttributeValues={":prefix": {"S": prefix.uri}},
        )
    )
    return [item["output"]["M"]["location"]["S"] for page in pages for item in page["Items"]]


def test_earlier_outputs_are_recorded_and_can_be_read(
    outputs, prefix, put, run, wait_for_record, folder
):
    names = ["known.out", "a b+c%20d#e?f=g&h.out", "ü/日本.out", "tab\there.out"]
    put(*names)
    known = completed(f"known-{uuid.uuid4()}")
    known["responseParameters"]["outputLocation"] = f"{prefix.uri}known.out"
    boto3.client("sns").publish(
        TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=body(known)
    )
    wait_for_record(known["inferenceId"])
    endpoint = f"backfilled-{uuid.uuid4().hex[:8]}"

    dry_run = run("--dry-run", "--json")
    assert dry_run.returncode == 0, dry_run.stderr
    shown = [json.loads(line) for line in dry_run.stdout.splitlines()]
    assert {each["location"] for each in shown} == {prefix.uri + name for name in names[1:]}

    assert counts(run("--endpoint", endpoint)) == {
        "listed": 4,
        "already_recorded": 1,
        "recorded": 3,
        "skipped": 0,
    }
    assert counts(run("--endpoint", "another"))["recorded"] == 0
    with Client(outputs[StackOutput.API_URL]) as client:
        for each in shown:
            record = client.get(each["inference_id"])
            assert (record.source, record.endpoint_name) == ("backfill", endpoint)
            assert client.output(each["inference_id"]) == b"42"
        days = eventually(lambda: client.summary(endpoint))
        assert sum(day.counts["Completed"] for day in days) == 3


def test_an_interrupted_run_continues_with_start_after(outputs, prefix, put, run, as_role):
    total = 600
    names = [f"{number:04}.out" for number in range(total)]
    put(*names)
    table = boto3.resource("dynamodb").Table(outputs[StackOutput.TABLE_NAME])
    early = {
        "inference_id": backfill_id(Location(prefix.bucket, prefix.key + names[40])),
        "endpoint_name": "stopped",
    }
    options = ["--prefix", prefix.uri, *FRESH, "--endpoint", "stopped"]
    with subprocess.Popen(
        [COMMAND, "backfill", *options],
        env=as_role,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        while "Item" not in table.get_item(Key=early):
            assert command.poll() is None
            time.sleep(0.005)
        command.send_signal(signal.SIGINT)
        stdout, stderr = command.communicate(timeout=10)
    assert (command.returncode, stdout) == (130, "")
    (key,) = re.findall(r"^stopped \(.*\): continue with --start-after (\S+)$", stderr, re.M)
    written = recorded_below(table.name, prefix)
    up_to_the_key = {f"{prefix.uri}{name}" for name in names if prefix.key + name <= key}
    assert up_to_the_key <= set(written)
    assert len(up_to_the_key) <= len(written) < total

    rest = counts(run("--endpoint", "stopped", "--start-after", key))
    assert rest["listed"] == total - len(up_to_the_key)
    assert rest["recorded"] == total - len(written)
    assert sorted(recorded_below(table.name, prefix)) == [prefix.uri + name for name in names]


def test_without_permission_to_list_nothing_is_written_and_the_error_says_so(
    outputs, prefix, run, put
):
    put("a.out")
    elsewhere = run("--prefix", f"s3://{OUTPUT_BUCKET}/")
    assert (elsewhere.returncode, elsewhere.stdout) == (5, "")
    assert elsewhere.stderr.startswith("ListObjectsV2: access denied")
    assert recorded_below(outputs[StackOutput.TABLE_NAME], prefix) == []


@pytest.mark.parametrize("text", blocks(BACKFILL, "sh"))
def test_the_documented_commands_work(folder, prefix, put, text):
    put("a.out")
    variables = {
        "TABLE_NAME": folder.outputs()[StackOutput.TABLE_NAME],
        "SHARDS": folder.outputs()[StackOutput.SHARDS],
        "PREFIX": prefix.uri,
        "PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}",
    }
    environment = {**os.environ, **variables}
    environment.pop("INFERENCE_RESULTS_API_URL")
    done = subprocess.run(
        ["bash", "-e", "-c", text.replace("30d", "30d --until 2100-01-01T00:00:00Z")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"\t{prefix.uri}a.out" in done.stdout
    assert "recorded\t1" in done.stdout
    assert backfill_id(Location(prefix.bucket, f"{prefix.key}a.out")) in done.stdout
