"""Submissions to the deployed API, with IAM enforced. The simulated endpoint counts them."""

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import boto3
import pytest

from inference_results.client import Client
from inference_results.contract import StackOutput
from inference_results.domain.submissions.submission_request import inference_id_for
from local.api_client import ApiClient
from local.environment import ACCOUNT, READER_ROLE, REGION, SUBMITTER_ROLE
from tests.deploy.inferences import ended, invocation_counts
from tests.support.effort import LONG
from tests.support.waiting import eventually


@pytest.fixture
def submit(submitter):
    return partial(submitted, submitter)


def submitted(submitter, key, content="hello", endpoint="speech", **members):
    """Submit, and return the HTTP status and document."""
    body = {
        "endpoint": endpoint,
        "idempotency_key": key,
        "input": {"encoding": "utf-8", "content": content},
        **members,
    }
    response = submitter.request("inferences", "POST", json=body)
    return response.status_code, response.json()


@pytest.fixture(scope="module", autouse=True)
def partly_notified(folder):
    """Contents of fifty submissions by inference id. A tenth gets no notification.

    They are submitted first and checked by the last test here; the other tests run until their
    deadline has passed. No test here invokes reconcile, so the schedule must do it.
    """
    limits = {"request_ttl_seconds": 60, "invocation_timeout_seconds": 1}
    submitter = ApiClient(folder.outputs()[StackOutput.API_URL], SUBMITTER_ROLE)
    contents = {}
    for number in range(50):
        lost = {} if number % 10 else {"custom_attributes": "simulate-silence"}
        content = f"content {number}"
        _, record = submitted(submitter, str(uuid.uuid4()), content, **limits, **lost)
        contents[record["inference_id"]] = content
    submitter.close()
    return contents


def test_a_submission_ends_with_its_output_and_metadata(submit, api):
    key = str(uuid.uuid4())
    status, record = submit(key, metadata={"page": "17"}, accept="text/csv")
    assert (status, record["status"]) == (201, "InProgress")
    record = eventually(lambda: ended(api.get(record["inference_id"])[1]))
    assert record["status"] == "Completed"
    assert record["output"]["inline"]["content"] == "hello"
    assert record["output"]["location"] == record["submission"]["output_location"]
    assert record["output"]["content_type"] == "text/csv"
    assert record["caller_metadata"] == {"page": "17"}
    repeated, same = submit(key, accept="text/csv")
    assert (repeated, same["inference_id"]) == (200, record["inference_id"])
    assert invocation_counts()[record["inference_id"]] == 1
    assert submit(key, "other")[0] == 422


def test_a_large_input_is_stored_in_s3(submit, api):
    status, record = submit(str(uuid.uuid4()), "x" * 1_000_000)
    assert (status, "input_location" in record) == (201, True)
    record = eventually(lambda: ended(api.get(record["inference_id"])[1]))
    assert (record["status"], record["output"]["size"]) == ("Completed", 1_000_000)


def test_concurrent_api_calls_with_one_key_invoke_once(submit):
    keys = [str(uuid.uuid4()) for _ in range(10)]
    before = invocation_counts().total()
    with ThreadPoolExecutor(16) as callers:
        results = list(callers.map(submit, keys * 12))
    assert Counter(status for status, _ in results) == {201: 10, 200: 110}
    invoked = invocation_counts()
    assert [invoked[inference_id_for("speech", key)] for key in keys] == [1] * 10
    assert invoked.total() == before + 10


@pytest.fixture
def submitting_session(outputs):
    """A session of a role with only the permissions in docs/guides/submitting.md."""
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:DeleteItem"],
        "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{outputs[StackOutput.TABLE_NAME]}",
    }
    invoke = {
        "Effect": "Allow",
        "Action": "sagemaker:InvokeEndpointAsync",  # not checked by the simulated endpoint
        "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/speech",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement, invoke]}
    response = boto3.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{_submitting_role(policy)}", RoleSessionName="test"
    )["Credentials"]
    return boto3.Session(
        response["AccessKeyId"], response["SecretAccessKey"], response["SessionToken"], REGION
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


def test_concurrent_submissions_invoke_once_for_each_key(outputs, submitting_session):
    """Sixteen clients submit concurrently, and about ten of them use the same key at a time."""
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
        results = [each for share in callers.map(submit_share, range(16)) for each in share]
    assert len(results) == 10 * KEYS
    ids = {inference_id_for("speech", key) for key in keys}
    assert {each.inference_id for each in results} == ids
    invoked = {name: times for name, times in invocation_counts().items() if name in ids}
    assert invoked == dict.fromkeys(ids, 1)
    # The result can arrive before SageMaker's response to the invocation.
    assert all(each.submission or each.status == "Completed" for each in results)
    for client in clients:
        client.close()


def test_the_reader_role_cannot_submit_or_register(outputs):
    reader = ApiClient(outputs[StackOutput.API_URL], READER_ROLE)
    assert reader.request("inferences", "POST", json={}).status_code == 403
    assert reader.request("inference", "PUT", query={"id": "one"}, json={}).status_code == 403
    reader.close()


def test_a_registration_and_its_result_can_arrive_in_either_order(
    invoke, register, wait_for_record
):
    slow = invoke(custom_attributes="simulate-delay=5")
    assert register(slow, metadata={"which": "slow"})["status"] == "InProgress"
    fast = invoke()
    wait_for_record(fast["InferenceId"])
    assert register(fast, metadata={"which": "fast"})["status"] == "Completed"
    slow_record = eventually(lambda: ended(wait_for_record(slow["InferenceId"])))
    assert (slow_record["status"], slow_record["caller_metadata"]) == (
        "Completed",
        {"which": "slow"},
    )
    assert wait_for_record(fast["InferenceId"])["caller_metadata"] == {"which": "fast"}


def test_every_inference_ends_although_a_tenth_of_the_notifications_is_lost(partly_notified, api):
    """Only the schedule reconciles, at most a minute after the deadline."""

    def all_ended():
        body = {"inference_ids": list(partly_notified)}
        response = api.request("/inferences:batchGet", "POST", json=body)
        assert response.status_code == 200, response.text
        found = response.json()["inferences"]
        return all(map(ended, found)) and found

    records = eventually(all_ended, seconds=150)
    assert len(records) == 50
    assert {each["status"] for each in records} == {"Completed"}
    assert {
        each["inference_id"]: each["output"]["inline"]["content"] for each in records
    } == partly_notified
    assert Counter(each.get("source") for each in records) == {None: 45, "reconciliation": 5}
