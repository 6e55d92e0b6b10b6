"""Who may do what, under enforcement, and who is refused."""

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
from tests.deploy import test_backfill, test_doctor
from tests.deploy.actor import Account, Actor, filled
from tests.deploy.permission_matrix import ALLOWED, DEEDS, FUNCTIONS, Call, Simulated

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
    for role in documented:
        iam.delete_role_policy(RoleName=names[role], PolicyName=OWN_POLICY)
        iam.delete_role(RoleName=names[role])


@pytest.fixture(scope="module")
def account(folder, places):
    return Account(folder.certificate, places)


@pytest.fixture
def differences(account):
    """In words, between what a role (None: the account's root) may do and what it should."""

    def differences(role_name, allowed):
        actor = Actor(account, role_name)
        done = {name for name, deed in DEEDS.items() if actor.may(deed)}
        actor.close()
        return [f"may {each}" for each in done - allowed] + [
            f"may not {each}" for each in allowed - done
        ]

    return differences


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_what_it_must_and_nothing_else(differences, role_names, role):
    found = differences(role_names[role], ALLOWED[role])
    assert not found, f"{role} {', '.join(found)}"


def test_no_deed_fails_for_another_reason_than_the_role(differences):
    """The account's root may do all of them, but what the policies of the queues forbid it too."""
    forbidden = {"send to the completed queue", "send to the failed queue"}
    found = differences(None, set(DEEDS) - forbidden)
    assert not found, f"the root {', '.join(found)}"


def test_every_role_of_the_stack_is_among_those_that_are_tried(stack, role_names):
    roles = {name for (kind, _), name in stack.items() if kind == "AWS::IAM::Role"}
    assert roles == {role_names[part] for part in FUNCTIONS}


SIMULATED = sorted({each.action for each in DEEDS.values() if isinstance(each, Simulated)})
CLIENTS = {
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "sagemaker": ("sagemaker-runtime",),
    "states": ("stepfunctions",),
}
"""Of the services whose actions IAM calls by another name than boto3."""


@pytest.mark.parametrize("action", SIMULATED)
def test_what_is_simulated_is_an_action_that_exists(action):
    """Or it would be denied to everybody for its spelling."""
    service, _, operation = action.partition(":")
    clients = [boto3.client(each) for each in CLIENTS.get(service, (service,))]
    assert any(operation in each.meta.service_model.operation_names for each in clients)


def test_sending_is_tried_on_every_queue_and_publishing_on_every_topic(stack, places):
    told = {
        filled(deed.parameters.get("QueueUrl") or deed.parameters["TopicArn"], places)
        for deed in DEEDS.values()
        if isinstance(deed, Call) and deed.operation in {"send_message", "publish"}
    }
    kinds = ("AWS::SQS::Queue", "AWS::SNS::Topic")
    assert told >= {name for (kind, _), name in stack.items() if kind in kinds}


UNKNOWN_KEY = "ASIA" + "UNKNOWNUNKNOWN00"  # in two, or it is taken for a secret
REFUSED = {
    "unsigned": {"AccessDenied", "MissingAuthenticationToken"},
    "with another secret": {"SignatureDoesNotMatch"},
    "with an unknown key": {"InvalidClientTokenId"},
}


@pytest.mark.parametrize("how", REFUSED)
def test_nothing_is_published_or_sent_without_a_right_signature(outputs, how):
    given = boto3.Session(profile_name=EXECUTION_ROLE).get_credentials().get_frozen_credentials()
    session = boto3.Session(
        UNKNOWN_KEY if how == "with an unknown key" else given.access_key,
        "another" if how == "with another secret" else given.secret_key,
        given.token,
    )
    config = Config(signature_version=UNSIGNED if how == "unsigned" else None)
    sns, sqs = (session.client(each, config=config) for each in ("sns", "sqs"))
    for name, place in outputs.items():
        if name.endswith("TopicArn"):
            with pytest.raises(ClientError) as refused:
                sns.publish(TopicArn=place, Message="forged")
        elif name.endswith("QueueUrl"):
            with pytest.raises(ClientError) as refused:
                sqs.send_message(QueueUrl=place, MessageBody="forged")
        else:
            continue
        assert refused.value.response["Error"]["Code"] in REFUSED[how], name


@pytest.fixture(scope="module")
def ask_every_route(folder):
    """The statuses with which the API answers a submitter whose requests are signed in some way."""
    url = folder.outputs()[StackOutput.API_URL]
    session = boto3.Session(profile_name=SUBMITTER_ROLE)
    given = session.get_credentials().get_frozen_credentials()
    http = httpx.Client(verify=ssl.create_default_context(cafile=folder.certificate))

    def ask_every_route(service="execute-api", signed_path="", unsigned=False, **credentials):
        answers = {}
        signer = SigV4Auth(given._replace(**credentials), service, REGION)
        for route in Route:
            method, path = route.split(" ")
            path = re.sub(r"{\w+}", "none", path)
            request = AWSRequest(method, url + (signed_path or path))
            signer.add_auth(request)
            headers = {} if unsigned else dict(request.headers)
            answers[route] = http.request(method, url + path, headers=headers).status_code
        return answers

    yield ask_every_route
    http.close()


@pytest.mark.parametrize(
    "wrongly",
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
def test_no_route_answers_a_request_that_is_signed_wrongly(ask_every_route, wrongly):
    assert ask_every_route(**wrongly) == dict.fromkeys(Route, 403)


def test_no_route_answers_a_request_that_was_signed_an_hour_ago(ask_every_route, monkeypatch):
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() - timedelta(hours=1))
    assert ask_every_route() == dict.fromkeys(Route, 403)


def test_every_route_answers_a_request_that_is_signed_rightly(ask_every_route):
    assert 403 not in ask_every_route().values()


def test_the_link_to_an_output_opens_that_version_of_it_and_nothing_else(api, invoke, record_of):
    record = record_of(invoke(b"hello")["InferenceId"])
    bucket, key = record["output"]["bucket"], record["output"]["key"]
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key=f"{key}-2", Body=b"another")
    newer = s3.put_object(Bucket=bucket, Key=key, Body=b"newer")["VersionId"]
    link = api.ask(f"inferences/{record['inference_id']}/output").headers["location"]
    altered = [
        link.replace(key, f"{key}-2"),
        link.replace(quote(record["output"]["version_id"]), newer),
        re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=604800", link),
    ]
    with httpx.Client(verify=tls_context(None)) as anybody:
        assert anybody.get(link).content == b"hello"
        for each in altered:
            assert each != link
            assert anybody.get(each).status_code == 403, each
