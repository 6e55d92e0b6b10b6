"""Submitting through the deployed API, with IAM enforced; the pretend endpoint counts."""

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import boto3
import pytest

from inference_results.client import Client
from inference_results.contract import StackOutput
from inference_results.domain.submissions.submit import inference_id_for
from local.api_client import StatusApi
from local.environment import ACCOUNT, READER_ROLE, REGION, SUBMITTER_ROLE
from tests.deploy.conftest import ended, eventually, invocations
from tests.effort import LONG


@pytest.fixture
def submit(submitter):
    return partial(submitted, submitter)


def submitted(submitter, key, content="hello", endpoint="speech", **members):
    """HTTP status and document."""
    body = {
        "endpoint": endpoint,
        "idempotency_key": key,
        "input": {"encoding": "utf-8", "content": content},
        **members,
    }
    answer = submitter.ask("inferences", "POST", json=body)
    return answer.status_code, answer.json()


@pytest.fixture(scope="module", autouse=True)
def partly_announced(folder):
    """Contents of fifty submissions by inference id; a tenth is never announced.

    Made first, and asked for by the last test here: until the deadline has passed, others run. None
    of them sweeps by hand, so that the schedule has to.
    """
    limits = {"request_ttl_seconds": 60, "invocation_timeout_seconds": 1}
    submitter = StatusApi(folder.outputs()[StackOutput.API_URL], SUBMITTER_ROLE)
    contents = {}
    for number in range(50):
        lost = {} if number % 10 else {"custom_attributes": "simulate-silence"}
        content = f"content {number}"
        _, record = submitted(submitter, str(uuid.uuid4()), content, **limits, **lost)
        contents[record["inference_id"]] = content
    submitter.close()
    return contents


def test_a_submission_ends_with_its_output_and_what_the_submitter_said(submit, api):
    key = str(uuid.uuid4())
    status, record = submit(key, metadata={"page": "17"}, accept="text/csv")
    assert (status, record["status"]) == (201, "InProgress")
    record = eventually(lambda: ended(api.get(record["inference_id"])[1]))
    assert record["status"] == "Completed"
    assert record["output"]["inline"]["content"] == "hello"
    assert record["output"]["location"] == record["submission"]["output_location"]
    assert record["output"]["content_type"] == "text/csv"
    assert record["caller_metadata"] == {"page": "17"}
    again, same = submit(key, accept="text/csv")
    assert (again, same["inference_id"]) == (200, record["inference_id"])
    assert invocations()[record["inference_id"]] == 1
    assert submit(key, "other")[0] == 422


def test_a_large_input_goes_by_way_of_the_bucket(submit, api):
    status, record = submit(str(uuid.uuid4()), "x" * 1_000_000)
    assert (status, "input_location" in record) == (201, True)
    record = eventually(lambda: ended(api.get(record["inference_id"])[1]))
    assert (record["status"], record["output"]["size"]) == ("Completed", 1_000_000)


def test_racing_callers_of_the_api_invoke_once(submit):
    keys = [str(uuid.uuid4()) for _ in range(10)]
    before = invocations().total()
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(submit, keys * 12))
    assert Counter(status for status, _ in answers) == {201: 10, 200: 110}
    invoked = invocations()
    assert [invoked[inference_id_for("speech", key)] for key in keys] == [1] * 10
    assert invoked.total() == before + 10


@pytest.fixture
def submitting_session(outputs):
    """Of a role that may do what docs/guides/submitting.md names, and nothing else."""
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:DeleteItem"],
        "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{outputs[StackOutput.TABLE_NAME]}",
    }
    invoke = {
        "Effect": "Allow",
        "Action": "sagemaker:InvokeEndpointAsync",  # what is pretended checks no rights
        "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/speech",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement, invoke]}
    answer = boto3.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{_submitting_role(policy)}", RoleSessionName="test"
    )["Credentials"]
    return boto3.Session(
        answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], REGION
    )


def _submitting_role(policy):
    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    name = f"submitting-on-the-table-{uuid.uuid4().hex[:6]}"
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return name


KEYS = 500 if LONG else 100


def test_racing_submissions_invoke_once_for_each_key(outputs, submitting_session):
    """Sixteen clients race: at any time ten of them have the same key."""
    run = uuid.uuid4().hex[:8]
    keys = [f"{run}-{number}" for number in range(KEYS)]
    submissions = [key for key in keys for _ in range(10)]
    clients = [
        Client.on_table(
            outputs[StackOutput.TABLE_NAME],
            shards=int(outputs[StackOutput.SHARDS]),
            session=submitting_session,
        )
        for _ in range(16)
    ]

    def submit_share(number):
        return [
            clients[number].submit("speech", key.encode(), idempotency_key=key)
            for key in submissions[number::16]
        ]

    with ThreadPoolExecutor(16) as callers:
        answers = [each for share in callers.map(submit_share, range(16)) for each in share]
    assert len(answers) == 10 * KEYS
    ids = {inference_id_for("speech", key) for key in keys}
    assert {each.inference_id for each in answers} == ids
    invoked = {name: times for name, times in invocations().items() if name in ids}
    assert invoked == dict.fromkeys(ids, 1)
    # A result can be there before SageMaker's answer to the one that invoked is.
    assert all(each.submission or each.status == "Completed" for each in answers)
    for client in clients:
        client.close()


def test_who_may_only_ask_may_neither_submit_nor_register(outputs):
    reader = StatusApi(outputs[StackOutput.API_URL], READER_ROLE)
    assert reader.ask("inferences", "POST", json={}).status_code == 403
    assert reader.ask("inference", "PUT", query={"id": "one"}, json={}).status_code == 403
    reader.close()


def test_a_registration_and_its_result_come_in_either_order(invoke, register, record_of):
    slow = invoke(wishes="simulate-delay=5")
    assert register(slow, metadata={"which": "slow"})["status"] == "InProgress"
    fast = invoke()
    record_of(fast["InferenceId"])
    assert register(fast, metadata={"which": "fast"})["status"] == "Completed"
    slow_record = eventually(lambda: ended(record_of(slow["InferenceId"])))
    assert (slow_record["status"], slow_record["caller_metadata"]) == (
        "Completed",
        {"which": "slow"},
    )
    assert record_of(fast["InferenceId"])["caller_metadata"] == {"which": "fast"}


def test_with_a_tenth_of_the_notifications_lost_every_inference_ends_right(partly_announced, api):
    """By the schedule alone, a minute after the deadline at the latest."""

    def all_ended():
        asked = {"inference_ids": list(partly_announced)}
        answer = api.ask("/inferences:batchGet", "POST", json=asked)
        assert answer.status_code == 200, answer.text
        found = answer.json()["inferences"]
        return all(map(ended, found)) and found

    records = eventually(all_ended, seconds=150)
    assert len(records) == 50
    assert {each["status"] for each in records} == {"Completed"}
    assert {
        each["inference_id"]: each["output"]["inline"]["content"] for each in records
    } == partly_announced
    assert Counter(each.get("source") for each in records) == {None: 45, "reconciliation": 5}
