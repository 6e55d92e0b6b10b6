"""A state machine waits for an inference, and is told its end, with IAM enforced.

It is the documented one, whose request goes through a queue: the embedded Step Functions calls no
API. The test takes it from there and makes the call.
"""

import json
import uuid

import boto3
import pytest

from inference_results.contract import StackOutput
from inference_results.domain.submissions.submit import inference_id_for
from local.api_client import StatusApi
from local.deployment import ANSWERING_POLICY, INPUT_PREFIX, OUTPUT_BUCKET, STACK, STATE_MACHINE
from local.environment import ACCOUNT, REGION, SUBMITTER_ROLE
from tests.deploy.conftest import eventually
from tests.infra.test_step_functions import definition


@pytest.fixture
def submitter(outputs):
    api = StatusApi(outputs[StackOutput.API_URL], SUBMITTER_ROLE)
    yield api
    api.close()


@pytest.fixture
def requests():
    """A queue that the state machine's requests go to."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"requests-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def role(requests):
    """Of the state machine: it may send to the queue."""
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
    described = definition()
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
    """Start an execution for an input that the pretend endpoint can read; answers with its ARN."""

    def start():
        key = f"{INPUT_PREFIX}{uuid.uuid4()}"
        boto3.client("s3").put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=b"good morning")
        given = {
            "endpoint": "speech",
            "input_location": f"s3://{OUTPUT_BUCKET}/{key}",
            "content_type": "text/plain",
        }
        answer = boto3.client("stepfunctions").start_execution(
            stateMachineArn=state_machine, input=json.dumps(given)
        )
        return answer["executionArn"]

    return start


@pytest.fixture
def take(requests):
    """The next request of the state machine."""

    def take():
        def received():
            sqs = boto3.client("sqs")
            for message in sqs.receive_message(QueueUrl=requests, WaitTimeSeconds=1).get(
                "Messages", []
            ):
                sqs.delete_message(QueueUrl=requests, ReceiptHandle=message["ReceiptHandle"])
                return json.loads(message["Body"])
            return None

        return eventually(received)

    return take


@pytest.fixture
def submit(submitter):
    def submit(request, **members):
        answer = submitter.ask("inferences", "POST", json={**request, **members})
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    return submit


def ended(execution_arn, seconds=20):
    def found():
        described = boto3.client("stepfunctions").describe_execution(executionArn=execution_arn)
        return described["status"] != "RUNNING" and described

    return eventually(found, seconds)


def logged(word):
    """Lines of the function that announces, with a word in them."""
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    (group,) = [
        each["PhysicalResourceId"]
        for each in resources["StackResources"]
        if each["ResourceType"] == "AWS::Logs::LogGroup"
        and "EventPublisher" in each["LogicalResourceId"]
    ]
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [each["message"] for page in pages for each in page["events"] if word in each["message"]]


def test_an_execution_goes_on_with_the_record_when_the_inference_has_ended(
    start, take, submit, record_of
):
    execution = start()
    request = take()
    assert request["idempotency_key"] == f"{execution}/1"
    submit(request)
    described = ended(execution)
    assert described["status"] == "SUCCEEDED"
    told = json.loads(described["output"])
    assert (told.pop("version"), len(told.pop("event_id"))) == (1, 32)
    assert told == record_of(inference_id_for("speech", f"{execution}/1"))
    assert told["output"]["inline"]["content"] == "good morning"


def test_an_execution_fails_with_the_code_of_the_failure(start, take, submit):
    execution = start()
    submit(take(), custom_attributes="simulate-failure=400")
    described = ended(execution)
    assert (described["status"], described["error"]) == ("FAILED", "MODEL_ERROR_4XX")


def test_what_may_succeed_later_is_submitted_anew_with_another_key(start, take, submit):
    execution = start()
    submit(take(), custom_attributes="simulate-failure=503")
    second = take()
    assert second["idempotency_key"] == f"{execution}/2"
    submit(second)
    assert ended(execution)["status"] == "SUCCEEDED"


def test_a_retry_with_the_same_key_is_answered_as_well_and_invokes_nothing(
    start, take, submit, record_of
):
    first, second = start(), start()
    requests = [take(), take()]
    key = f"one-{uuid.uuid4()}"
    same = {"idempotency_key": key, "input_location": requests[0]["input_location"]}
    record = submit(requests[0], **same)
    eventually(lambda: record_of(record["inference_id"])["status"] == "Completed")
    late = submit(requests[1], **same)
    assert late["status"] == "Completed"
    outputs = [json.loads(ended(each)["output"]) for each in (first, second)]
    assert outputs[0] == outputs[1]


def test_a_token_that_was_used_already_is_done_with(start, take, submit):
    used, execution = start(), start()
    one, other = take(), take()
    if not one["idempotency_key"].startswith(used):
        one, other = other, one
    boto3.client("stepfunctions").send_task_success(
        taskToken=one["task_token"], output=json.dumps({})
    )
    ended(used)
    submit(one)
    submit(other)
    assert ended(execution)["status"] == "SUCCEEDED"
    assert eventually(lambda: logged('"TasksGone":[1.0]'))
    assert not logged("will be answered again")


def test_a_token_that_may_not_be_answered_holds_up_nobody_and_the_next_one_is(
    start, take, submit, record_of
):
    iam = boto3.client("iam")
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    (role,) = [
        each["PhysicalResourceId"]
        for each in resources["StackResources"]
        if each["ResourceType"] == "AWS::IAM::Role"
        and "EventPublisher" in each["LogicalResourceId"]
    ]
    policy = iam.get_role_policy(RoleName=role, PolicyName=ANSWERING_POLICY)["PolicyDocument"]
    denied = start()
    request = take()
    iam.delete_role_policy(RoleName=role, PolicyName=ANSWERING_POLICY)
    try:
        inference_id = submit(request)["inference_id"]
        eventually(lambda: [line for line in logged("not allowed") if inference_id in line])
    finally:
        iam.put_role_policy(
            RoleName=role, PolicyName=ANSWERING_POLICY, PolicyDocument=json.dumps(policy)
        )
    described = boto3.client("stepfunctions").describe_execution(executionArn=denied)
    assert described["status"] == "RUNNING"
    boto3.client("stepfunctions").stop_execution(executionArn=denied)
    again = start()
    take_again = take()
    submit(take_again, **{name: request[name] for name in ("idempotency_key", "input_location")})
    described = ended(again)
    assert json.loads(described["output"])["inference_id"] == inference_id


def test_no_token_stands_in_a_log(start, take, submit):
    execution = start()
    request = take()
    submit(request)
    ended(execution)
    logs = boto3.client("logs")
    found = 0
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            events = logs.get_paginator("filter_log_events")
            for lines in events.paginate(logGroupName=group["logGroupName"]):
                for each in lines["events"]:
                    found += 1
                    assert request["task_token"] not in each["message"]
    assert found
