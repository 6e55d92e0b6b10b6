"""A state machine waits for an inference, and the service completes its task, with IAM enforced.

It is the documented state machine. The embedded Step Functions cannot call an HTTP API, so it sends
the request to a queue, and the test submits it.
"""

import json
import uuid

import boto3
import pytest

from inference_results.contract import StackOutput
from inference_results.domain.submissions.submission_request import inference_id_for
from local.api_client import ApiClient
from local.deployment import INPUT_PREFIX, OUTPUT_BUCKET, STACK, STATE_MACHINE, TASK_POLICY
from local.environment import ACCOUNT, REGION, SUBMITTER_ROLE
from tests.support.documents import state_machine_definition
from tests.support.waiting import eventually


@pytest.fixture
def submitter(outputs):
    api = ApiClient(outputs[StackOutput.API_URL], SUBMITTER_ROLE)
    yield api
    api.close()


@pytest.fixture
def requests():
    """A queue that receives the state machine's requests."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"requests-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def role(requests):
    """The state machine's role, which can send to the queue."""
    iam = boto3.client("iam")
    name = requests.rpartition("/")[2]
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "states.amazonaws.com"},
    }
    send = {
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="send", PolicyDocument=policy(send))
    yield role["Arn"]
    iam.delete_role_policy(RoleName=name, PolicyName="send")
    iam.delete_role(RoleName=name)


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def state_machine(requests, role):
    described = state_machine_definition()
    task = described["States"]["Inference"]
    task["Resource"] = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    body = task["Parameters"]["RequestBody"]
    task["Parameters"] = {"QueueUrl": requests, "MessageBody": body}
    client = boto3.client("stepfunctions")
    arn = client.create_state_machine(
        name=STATE_MACHINE.rpartition(":")[2],
        definition=json.dumps(described),
        roleArn=role,
    )["stateMachineArn"]
    assert arn == STATE_MACHINE
    yield arn
    client.delete_state_machine(stateMachineArn=arn)


@pytest.fixture
def start(state_machine):
    """Start an execution for an input that the endpoint can read, and return its ARN."""

    def start():
        key = f"{INPUT_PREFIX}{uuid.uuid4()}"
        boto3.client("s3").put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=b"good morning")
        execution_input = {
            "endpoint": "speech",
            "input_location": f"s3://{OUTPUT_BUCKET}/{key}",
            "content_type": "text/plain",
        }
        response = boto3.client("stepfunctions").start_execution(
            stateMachineArn=state_machine, input=json.dumps(execution_input)
        )
        return response["executionArn"]

    return start


@pytest.fixture
def receive_request(requests):
    """Receive the next request of the state machine."""

    def receive_request():
        def received():
            sqs = boto3.client("sqs")
            for message in sqs.receive_message(QueueUrl=requests, WaitTimeSeconds=1).get(
                "Messages", []
            ):
                sqs.delete_message(QueueUrl=requests, ReceiptHandle=message["ReceiptHandle"])
                return json.loads(message["Body"])
            return None

        return eventually(received)

    return receive_request


@pytest.fixture
def submit(submitter):
    def submit(request, **members):
        response = submitter.request("inferences", "POST", json={**request, **members})
        assert response.status_code in (200, 201), response.text
        return response.json()

    return submit


def wait_for_end(execution_arn, seconds=20):
    def ended():
        described = boto3.client("stepfunctions").describe_execution(executionArn=execution_arn)
        return described["status"] != "RUNNING" and described

    return eventually(ended, seconds)


def log_lines(word):
    """Return the log lines of publish_events that contain a word."""
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    (group,) = [
        each["PhysicalResourceId"]
        for each in resources["StackResources"]
        if each["ResourceType"] == "AWS::Logs::LogGroup"
        and "EventPublisher" in each["LogicalResourceId"]
    ]
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [each["message"] for page in pages for each in page["events"] if word in each["message"]]


def test_an_execution_continues_with_the_record(start, receive_request, submit, wait_for_record):
    execution = start()
    request = receive_request()
    assert request["idempotency_key"] == f"{execution}/1"
    submit(request)
    described = wait_for_end(execution)
    assert described["status"] == "SUCCEEDED"
    output = json.loads(described["output"])
    assert (output.pop("version"), len(output.pop("event_id"))) == (1, 32)
    assert output == wait_for_record(inference_id_for("speech", f"{execution}/1"))
    assert output["output"]["inline"]["content"] == "good morning"


def test_an_execution_fails_with_the_code_of_the_failure(start, receive_request, submit):
    execution = start()
    submit(receive_request(), custom_attributes="simulate-failure=400")
    described = wait_for_end(execution)
    assert (described["status"], described["error"]) == ("FAILED", "MODEL_ERROR_4XX")


def test_a_retryable_failure_is_submitted_again_with_another_key(start, receive_request, submit):
    execution = start()
    submit(receive_request(), custom_attributes="simulate-failure=503")
    second = receive_request()
    assert second["idempotency_key"] == f"{execution}/2"
    submit(second)
    assert wait_for_end(execution)["status"] == "SUCCEEDED"


def test_a_second_task_with_the_same_key_completes_without_an_invocation(
    start, receive_request, submit, wait_for_record
):
    first, second = start(), start()
    requests = [receive_request(), receive_request()]
    key = f"one-{uuid.uuid4()}"
    same = {"idempotency_key": key, "input_location": requests[0]["input_location"]}
    record = submit(requests[0], **same)
    eventually(lambda: wait_for_record(record["inference_id"])["status"] == "Completed")
    late = submit(requests[1], **same)
    assert late["status"] == "Completed"
    outputs = [json.loads(wait_for_end(each)["output"]) for each in (first, second)]
    assert outputs[0] == outputs[1]


def test_a_used_token_does_not_block_others(start, receive_request, submit):
    used, execution = start(), start()
    one, other = receive_request(), receive_request()
    if not one["idempotency_key"].startswith(used):
        one, other = other, one
    boto3.client("stepfunctions").send_task_success(
        taskToken=one["task_token"], output=json.dumps({})
    )
    wait_for_end(used)
    submit(one)
    submit(other)
    assert wait_for_end(execution)["status"] == "SUCCEEDED"
    assert eventually(lambda: log_lines('"TasksGone":[1.0]'))
    assert not log_lines("tasks returned to the stream")


def test_a_denied_token_does_not_block_the_next_one(
    start, receive_request, submit, wait_for_record
):
    iam = boto3.client("iam")
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    (role,) = [
        each["PhysicalResourceId"]
        for each in resources["StackResources"]
        if each["ResourceType"] == "AWS::IAM::Role"
        and "EventPublisher" in each["LogicalResourceId"]
    ]
    policy = iam.get_role_policy(RoleName=role, PolicyName=TASK_POLICY)["PolicyDocument"]
    denied = start()
    request = receive_request()
    iam.delete_role_policy(RoleName=role, PolicyName=TASK_POLICY)
    try:
        inference_id = submit(request)["inference_id"]
        eventually(lambda: [line for line in log_lines("access denied") if inference_id in line])
    finally:
        iam.put_role_policy(
            RoleName=role, PolicyName=TASK_POLICY, PolicyDocument=json.dumps(policy)
        )
    described = boto3.client("stepfunctions").describe_execution(executionArn=denied)
    assert described["status"] == "RUNNING"
    boto3.client("stepfunctions").stop_execution(executionArn=denied)
    again = start()
    last_request = receive_request()
    submit(last_request, **{name: request[name] for name in ("idempotency_key", "input_location")})
    described = wait_for_end(again)
    assert json.loads(described["output"])["inference_id"] == inference_id


def test_task_tokens_are_never_logged(start, receive_request, submit):
    execution = start()
    request = receive_request()
    submit(request)
    wait_for_end(execution)
    logs = boto3.client("logs")
    count = 0
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            events = logs.get_paginator("filter_log_events")
            for lines in events.paginate(logGroupName=group["logGroupName"]):
                for each in lines["events"]:
                    count += 1
                    assert request["task_token"] not in each["message"]
    assert count
