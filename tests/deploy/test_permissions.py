"""Each role has exactly its permissions, and unauthorized requests are rejected."""

import json
import re
import ssl
from datetime import timedelta
from urllib.parse import quote

import boto3
import botocore.auth
import httpx
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from inference_results.client.transports.auth import tls_context
from inference_results.contract import Route, StackOutput
from local.deployment import (
    FAILURE_PREFIX,
    INPUT_PREFIX,
    OUTPUT_BUCKET,
    STACK,
    STATE_MACHINE,
)
from local.environment import ACCOUNT, EXECUTION_ROLE, READER_ROLE, REGION, SUBMITTER_ROLE
from tests.deploy.actor import Account, Actor, fill_in
from tests.deploy.documented_policies import backfill_policy, doctor_statements, policy_of
from tests.deploy.permission_matrix import ACTIONS, ALLOWED, FUNCTIONS, Call, Simulated

QUEUES = (StackOutput.COMPLETED_QUEUE_URL, StackOutput.FAILED_QUEUE_URL)
OWN_POLICY = "own"
OTHER = "permissions-other"


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("profile", [None, EXECUTION_ROLE, READER_ROLE])
def test_only_the_topic_can_send_to_a_queue(outputs, queue, profile):
    """Not even the account's root user, who can do everything that is not denied."""
    sqs = boto3.Session(profile_name=profile).client("sqs")
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message(QueueUrl=outputs[queue], MessageBody="forged")


def test_a_role_outside_the_settings_cannot_publish(outputs):
    sns = boto3.Session(profile_name=READER_ROLE).client("sns")
    with pytest.raises(ClientError, match="AuthorizationError|AccessDenied"):
        sns.publish(TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message="forged")


@pytest.fixture(scope="module")
def stack(folder):
    """Physical names of the stack's resources by type and logical id."""
    found = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)
    return {
        (each["ResourceType"], each["LogicalResourceId"]): each["PhysicalResourceId"]
        for each in found["StackResources"]
    }


def named(stack, kind, part):
    """Return the name of the only resource of a type whose logical id contains `part`."""
    (logical_id,) = [each for found, each in stack if found == kind and part in each]
    return stack[kind, logical_id]


@pytest.fixture(scope="module")
def resource_names(folder, stack):
    """Names for the actions: resources of the stack, and others that it must not access."""
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
    function = outputs[StackOutput.RECONCILE_FUNCTION_NAME]
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
    yield {
        **outputs,
        **objects,
        "OutputVersion": versions["OutputKey"],
        "CompletedQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "ReconcileFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
        "TableArn": table["TableArn"],
        "StreamArn": table["LatestStreamArn"],
        "OtherStreamArn": other_table["LatestStreamArn"],
        "OtherTable": OTHER,
        "OtherBucket": OTHER,
        "OtherQueueUrl": queue_url,
        "OtherTopicArn": topic_arn,
        "StateMachineArn": STATE_MACHINE,
        "StatusApiLogs": logs + named(stack, "AWS::Logs::LogGroup", "StatusApiHandlerLogs"),
        "PublishEventsLogs": logs + named(stack, "AWS::Logs::LogGroup", "PublishEventsLogs"),
        "Account": ACCOUNT,
        "Region": REGION,
    }
    dynamodb.delete_table(TableName=OTHER)
    sqs.delete_queue(QueueUrl=queue_url)
    sns.delete_topic(TopicArn=topic_arn)
    for key in objects.values():
        s3.delete_object(Bucket=OUTPUT_BUCKET, Key=key)


@pytest.fixture(scope="module")
def role_names(resource_names, stack):
    """Names of all roles in the matrix, which trust this account during these tests.

    The roles `doctor` and `backfill` have the policy of their document.
    """
    iam = boto3.client("iam")
    documented = {
        "doctor": policy_of(doctor_statements()),
        "backfill": backfill_policy(resource_names[StackOutput.TABLE_NAME]),
    }
    account = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    names = {part: named(stack, "AWS::IAM::Role", part) for part in FUNCTIONS}
    trust_policies = {}
    for name in list(names.values()):
        trusted = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        trust_policies[name] = trusted
        both = {**trusted, "Statement": [*trusted["Statement"], account]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(both))
    for role, policy in documented.items():
        names[role] = f"permissions-{role}"
        trust_policy = json.dumps({"Version": "2012-10-17", "Statement": [account]})
        iam.create_role(RoleName=names[role], AssumeRolePolicyDocument=trust_policy)
        iam.put_role_policy(RoleName=names[role], PolicyName=OWN_POLICY, PolicyDocument=policy)
    yield {role: names.get(role, role) for role in ALLOWED}
    for name, trusted in trust_policies.items():
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))
    for role in documented:
        iam.delete_role_policy(RoleName=names[role], PolicyName=OWN_POLICY)
        iam.delete_role(RoleName=names[role])


@pytest.fixture(scope="module")
def account(folder, resource_names):
    return Account(folder.certificate, resource_names)


@pytest.fixture
def differences(account):
    """Compare the actions that a role (None: the root user) can perform with the expected ones."""

    def differences(role_name, allowed):
        actor = Actor(account, role_name)
        found = {name for name, action in ACTIONS.items() if actor.is_allowed(action)}
        actor.close()
        return [f"can {each}" for each in found - allowed] + [
            f"cannot {each}" for each in allowed - found
        ]

    return differences


@pytest.mark.parametrize("role", ALLOWED)
def test_each_role_has_exactly_the_permissions_in_the_matrix(differences, role_names, role):
    found = differences(role_names[role], ALLOWED[role])
    assert not found, f"{role} {', '.join(found)}"


def test_the_root_user_can_perform_every_action(differences):
    """Otherwise, a denial could have another cause. Only the queue policies bind the root user."""
    forbidden = {"send to the completed queue", "send to the failed queue"}
    found = differences(None, set(ACTIONS) - forbidden)
    assert not found, f"the root user {', '.join(found)}"


def test_the_matrix_covers_every_role_of_the_stack(stack, role_names):
    roles = {name for (kind, _), name in stack.items() if kind == "AWS::IAM::Role"}
    assert roles == {role_names[part] for part in FUNCTIONS}


SIMULATED = sorted({each.iam_action for each in ACTIONS.values() if isinstance(each, Simulated)})
CLIENTS = {
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "sagemaker": ("sagemaker-runtime",),
    "states": ("stepfunctions",),
}
"""boto3's clients for services that have another prefix in IAM."""


@pytest.mark.parametrize("action", SIMULATED)
def test_simulated_actions_exist(action):
    """A misspelled action would be denied to every role."""
    service, _, operation = action.partition(":")
    clients = [boto3.client(each) for each in CLIENTS.get(service, (service,))]
    assert any(operation in each.meta.service_model.operation_names for each in clients)


def test_the_matrix_covers_every_queue_and_topic(stack, resource_names):
    tried = {
        fill_in(action.parameters.get("QueueUrl") or action.parameters["TopicArn"], resource_names)
        for action in ACTIONS.values()
        if isinstance(action, Call) and action.operation in {"send_message", "publish"}
    }
    kinds = ("AWS::SQS::Queue", "AWS::SNS::Topic")
    assert tried >= {name for (kind, _), name in stack.items() if kind in kinds}


UNKNOWN_KEY = "ASIA" + "UNKNOWNUNKNOWN00"  # split, so that scanners do not take it for a secret
ERROR_CODES = {
    "unsigned": {"AccessDenied", "MissingAuthenticationToken"},
    "with another secret": {"SignatureDoesNotMatch"},
    "with an unknown key": {"InvalidClientTokenId"},
}


@pytest.mark.parametrize("how", ERROR_CODES)
def test_requests_to_sns_and_sqs_need_a_valid_signature(outputs, how):
    profile = boto3.Session(profile_name=EXECUTION_ROLE)
    valid = profile.get_credentials().get_frozen_credentials()
    session = boto3.Session(
        UNKNOWN_KEY if how == "with an unknown key" else valid.access_key,
        "another" if how == "with another secret" else valid.secret_key,
        valid.token,
    )
    config = Config(signature_version=UNSIGNED if how == "unsigned" else None)
    sns, sqs = (session.client(each, config=config) for each in ("sns", "sqs"))
    for name, value in outputs.items():
        if name.endswith("TopicArn"):
            with pytest.raises(ClientError) as error:
                sns.publish(TopicArn=value, Message="forged")
        elif name.endswith("QueueUrl"):
            with pytest.raises(ClientError) as error:
                sqs.send_message(QueueUrl=value, MessageBody="forged")
        else:
            continue
        assert error.value.response["Error"]["Code"] in ERROR_CODES[how], name


@pytest.fixture(scope="module")
def request_every_route(folder):
    """Request every route as a submitter, and return the status by route."""
    url = folder.outputs()[StackOutput.API_URL]
    session = boto3.Session(profile_name=SUBMITTER_ROLE)
    valid = session.get_credentials().get_frozen_credentials()
    http = httpx.Client(verify=ssl.create_default_context(cafile=folder.certificate))

    def request_every_route(service="execute-api", signed_path="", unsigned=False, **credentials):
        statuses = {}
        signer = SigV4Auth(valid._replace(**credentials), service, REGION)
        for route in Route:
            method, path = route.split(" ")
            path = re.sub(r"{\w+}", "none", path)
            request = AWSRequest(method, url + (signed_path or path))
            signer.add_auth(request)
            headers = {} if unsigned else dict(request.headers)
            statuses[route] = http.request(method, url + path, headers=headers).status_code
        return statuses

    yield request_every_route
    http.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"unsigned": True},
        {"secret_key": "another"},
        {"access_key": UNKNOWN_KEY},
        {"token": None},
        {"token": "another"},
        {"service": "s3"},
        {"signed_path": "/another"},
    ],
    ids=str,
)
def test_no_route_accepts_an_invalid_signature(request_every_route, changes):
    assert request_every_route(**changes) == dict.fromkeys(Route, 403)


def test_no_route_accepts_an_expired_signature(request_every_route, monkeypatch):
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() - timedelta(hours=1))
    assert request_every_route() == dict.fromkeys(Route, 403)


def test_every_route_accepts_a_valid_signature(request_every_route):
    assert 403 not in request_every_route().values()


def test_an_output_link_opens_only_the_recorded_version(api, invoke, wait_for_record):
    record = wait_for_record(invoke(b"hello")["InferenceId"])
    bucket, key = record["output"]["bucket"], record["output"]["key"]
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key=f"{key}-2", Body=b"another")
    newer = s3.put_object(Bucket=bucket, Key=key, Body=b"newer")["VersionId"]
    link = api.request(f"inferences/{record['inference_id']}/output").headers["location"]
    altered = [
        link.replace(key, f"{key}-2"),
        link.replace(quote(record["output"]["version_id"]), newer),
        re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=604800", link),
    ]
    with httpx.Client(verify=tls_context(None)) as http:
        assert http.get(link).content == b"hello"
        for each in altered:
            assert each != link
            assert http.get(each).status_code == 403, each
