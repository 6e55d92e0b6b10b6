"""Who may do what, under enforcement, and who is refused."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.contract import StackOutput
from local.deployment import (
    FAILURE_PREFIX,
    INPUT_PREFIX,
    OUTPUT_BUCKET,
    STACK,
    STATE_MACHINE,
)
from local.environment import ACCOUNT, EXECUTION_ROLE, READER_ROLE, REGION
from tests.deploy import test_backfill, test_doctor
from tests.deploy.actor import Account, Actor
from tests.permissions import ALLOWED, DEEDS, FUNCTIONS

QUEUES = (StackOutput.COMPLETED_QUEUE_URL, StackOutput.FAILED_QUEUE_URL)
OWN_POLICY = "own"
OTHER = "permissions-other"


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("profile", [None, EXECUTION_ROLE, READER_ROLE])
def test_whoever_is_not_the_topic_cannot_send_to_a_queue(outputs, queue, profile):
    """Not even the account's root, who may do anything that is not forbidden."""
    sqs = boto3.Session(profile_name=profile).client("sqs")
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message(QueueUrl=outputs[queue], MessageBody="forged")


def test_a_role_that_is_not_named_cannot_publish(outputs):
    sns = boto3.Session(profile_name=READER_ROLE).client("sns")
    with pytest.raises(ClientError, match="AuthorizationError|AccessDenied"):
        sns.publish(TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message="forged")


def test_an_execution_role_can_publish_and_write(outputs):
    session = boto3.Session(profile_name=EXECUTION_ROLE)
    session.client("sns").publish(
        TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN],
        Message='{"eventName": "TestNotification"}',
    )
    session.client("s3").put_object(
        Bucket=OUTPUT_BUCKET, Key=outputs["OutputPrefix"] + "allowed", Body=b""
    )


@pytest.fixture(scope="module")
def stack(folder):
    """The names of the stack's resources, by their types and logical ids."""
    found = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    return {
        (each["ResourceType"], each["LogicalResourceId"]): each["PhysicalResourceId"]
        for each in found["StackResources"]
    }


def named(stack, kind, part):
    """The only resource of a type whose logical id holds `part`."""
    (logical_id,) = [each for found, each in stack if found == kind and part in each]
    return stack[kind, logical_id]


@pytest.fixture(scope="module")
def places(folder, stack):
    """What the deeds are done to: the stack's own, and others that it has no business with."""
    outputs = folder.outputs()
    s3, sqs, sns, dynamodb = (boto3.client(each) for each in ("s3", "sqs", "sns", "dynamodb"))
    table = dynamodb.describe_table(TableName=outputs[StackOutput.TABLE_NAME])["Table"]
    keys = {each["AttributeName"] for each in table["KeySchema"]}
    other_table = dynamodb.create_table(
        TableName=OTHER,
        KeySchema=table["KeySchema"],
        AttributeDefinitions=[
            each for each in table["AttributeDefinitions"] if each["AttributeName"] in keys
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    queue_url = sqs.create_queue(QueueName=OTHER)["QueueUrl"]
    topic_arn = sns.create_topic(Name=OTHER)["TopicArn"]
    s3.create_bucket(Bucket=OTHER)
    objects = {
        "OutputKey": f"{outputs['OutputPrefix']}{OTHER}",
        "FailureKey": f"{FAILURE_PREFIX}{OTHER}",
        "InputKey": f"{INPUT_PREFIX}{OTHER}",
        "ElsewhereKey": f"elsewhere/{OTHER}",
    }
    versions = {
        name: s3.put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=b"")["VersionId"]
        for name, key in objects.items()
    }
    s3.put_object(Bucket=OTHER, Key=objects["OutputKey"], Body=b"")
    queue = outputs[StackOutput.COMPLETED_QUEUE_URL].rpartition("/")[2]
    function = outputs[StackOutput.SWEEP_FUNCTION_NAME]
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
    return {
        **outputs,
        **objects,
        "OutputVersion": versions["OutputKey"],
        "CompletedQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "SweepFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
        "TableArn": table["TableArn"],
        "StreamArn": table["LatestStreamArn"],
        "OtherStreamArn": other_table["LatestStreamArn"],
        "OtherTable": OTHER,
        "OtherBucket": OTHER,
        "OtherQueueUrl": queue_url,
        "OtherTopicArn": topic_arn,
        "StateMachineArn": STATE_MACHINE,
        "StatusApiLogs": logs + named(stack, "AWS::Logs::LogGroup", "StatusApiHandlerLogs"),
        "AnnounceLogs": logs + named(stack, "AWS::Logs::LogGroup", "AnnounceLogs"),
        "Account": ACCOUNT,
        "Region": REGION,
    }


@pytest.fixture(scope="module")
def role_names(places, stack):
    """Of each role of the table, trusting this account; two have what a document says."""
    iam = boto3.client("iam")
    documented = {
        "doctor": test_doctor.policy_of(test_doctor.documented_statements()),
        "backfill": test_backfill.documented_policy(places[StackOutput.TABLE_NAME]),
    }
    account = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    names = {part: named(stack, "AWS::IAM::Role", part) for part in FUNCTIONS}
    trusts = {}
    for name in list(names.values()):
        trusts[name] = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        both = {**trusts[name], "Statement": [*trusts[name]["Statement"], account]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(both))
    for role, policy in documented.items():
        names[role] = f"permissions-{role}"
        trust_policy = json.dumps({"Version": "2012-10-17", "Statement": [account]})
        iam.create_role(RoleName=names[role], AssumeRolePolicyDocument=trust_policy)
        iam.put_role_policy(RoleName=names[role], PolicyName=OWN_POLICY, PolicyDocument=policy)
    yield {role: names.get(role, role) for role in ALLOWED}
    for name, trusted in trusts.items():
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))


@pytest.fixture(scope="module")
def account(folder, places):
    return Account(folder.certificate, places)


def deeds_done(account, role_name):
    actor = Actor(account, role_name)
    done = {name for name, deed in DEEDS.items() if actor.may(deed)}
    actor.close()
    return done


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_what_it_must_and_nothing_else(account, role_names, role):
    assert deeds_done(account, role_names[role]) == ALLOWED[role]


def test_no_deed_fails_for_another_reason_than_the_role(account):
    """The account's root may do all of them, but what the policies of the queues forbid it too."""
    forbidden = {"send to the completed queue", "send to the failed queue"}
    assert deeds_done(account, None) == set(DEEDS) - forbidden


def test_every_role_of_the_stack_is_among_those_that_are_tried(stack, role_names):
    roles = {name for (kind, _), name in stack.items() if kind == "AWS::IAM::Role"}
    assert roles == {role_names[part] for part in FUNCTIONS}
