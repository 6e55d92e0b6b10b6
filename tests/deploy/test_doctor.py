"""`inference-results doctor` on the deployed system, under the documented rights.

Each fault is planted by boto3, found by its name, and repaired: other tests use the deployment too.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from inference_results.contract import StackOutput
from inference_results.operations.doctor.deployment import (
    FUNCTION,
    MAPPING,
    QUEUE,
    SCHEDULE,
    SUBSCRIPTION,
    Deployment,
)
from inference_results.operations.doctor.examination import Examination
from inference_results.operations.doctor.finding import Symptom
from local.deployment import ENDPOINTS, FAILURE_PREFIX, OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import ACCOUNT, EXECUTION_ROLE, EXECUTION_ROLE_ARN, READER_ROLE
from tests.deploy.conftest import OVERDUE, eventually, is_there
from tests.synthesis import ROOT

STACK = "InferenceResults"
ROLE = "doctor"
DOCUMENT = ROOT / "docs" / "operations" / "doctor.md"
COMMAND = str(Path(sys.executable).with_name("inference-results"))


ASKED_OTHERWISE = {
    "events:DescribeEventBus": "events:DescribeEventBus",
    "iam:SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    "lambda:GetEventSourceMapping": "lambda:ListEventSourceMappings",
    "lambda:GetFunctionConcurrency": "lambda:PutFunctionConcurrency",
}
"""What MiniStack takes these actions for; it does not know their resources either."""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)


def documented_statements():
    """With the Sid of each, and its actions as a list."""
    (policy,) = blocks("json")
    return [
        {**each, "Action": [each["Action"]] if isinstance(each["Action"], str) else each["Action"]}
        for each in json.loads(policy)["Statement"]
    ]


def policy_of(statements):
    """For MiniStack; what is not documented is not allowed."""
    documented = {action for each in statements for action in each["Action"]}
    wide = [ASKED_OTHERWISE[each] for each in sorted(documented & ASKED_OTHERWISE.keys())]
    more = [{"Effect": "Allow", "Action": wide, "Resource": "*"}] if wide else []
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements, *more]})


@pytest.fixture(scope="module")
def began(folder):
    """When these tests began, on a deployment without what other tests left in it."""
    outputs = folder.outputs()
    for name, url in outputs.items():
        if "DeadLetter" in name or name == StackOutput.UNPROCESSABLE_QUEUE_URL:
            boto3.client("sqs").purge_queue(QueueUrl=url)
    sagemaker = boto3.client("sagemaker")
    for each in sagemaker.list_endpoints()["Endpoints"]:
        if each["EndpointName"].startswith("speech-"):
            sagemaker.delete_endpoint(EndpointName=each["EndpointName"])
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def session(folder):
    """Of a role that may do what the document says, and nothing else."""
    policy = policy_of(documented_statements())
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
    return boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )


@pytest.fixture(scope="module")
def findings(session, began):
    def findings(*endpoints):
        examination = Examination.of(
            session, STACK, endpoints=endpoints, since=began, now=datetime.now(UTC)
        )
        return examination.findings

    return findings


@pytest.fixture(scope="module")
def deployment(folder):
    return Deployment.read(boto3.client("cloudformation"), STACK)


def variables(session):
    credentials = session.get_credentials()
    environment = {name: each for name, each in os.environ.items() if "API_URL" not in name}
    return environment | {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
        "PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}",
    }


def run(environment, *words):
    command = [COMMAND, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


# Faults: each a context that plants one, yields what must be found of it, and repairs it


@contextmanager
def queue_with(attributes, symptom, output):
    sqs, url = boto3.client("sqs"), output
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(attributes))["Attributes"]
    try:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        yield symptom, url
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def queue_open_to_others(url):
    sqs = boto3.client("sqs")
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    policy = json.loads(answer["Attributes"]["Policy"])
    policy["Statement"] = [
        each for each in policy["Statement"] if "ArnNotEquals" not in each.get("Condition", {})
    ]
    return queue_with({"Policy": json.dumps(policy)}, Symptom.QUEUE_POLICY, url)


@contextmanager
def mapping_with(mapping, symptom, **changed):
    lambda_, uuid = boto3.client("lambda"), mapping.physical_id
    try:
        lambda_.update_event_source_mapping(UUID=uuid, **changed)
        yield symptom, mapping.properties["FunctionName"]
    finally:
        lambda_.update_event_source_mapping(
            UUID=uuid,
            Enabled=True,
            FunctionResponseTypes=mapping.properties.get("FunctionResponseTypes", []),
        )


@contextmanager
def stale_setting(name):
    lambda_ = boto3.client("lambda")
    before = lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    try:
        lambda_.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**before, "SHARDS": "8"}}
        )
        yield Symptom.FUNCTION_SETTINGS, name
    finally:
        lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@contextmanager
def function_stopped(name):
    lambda_ = boto3.client("lambda")
    try:
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        yield Symptom.FUNCTION_STOPPED, name
    finally:
        lambda_.delete_function_concurrency(FunctionName=name)


def subscription_of(resource):
    """The ARN as it is now: it changes when the queue is subscribed anew."""
    pages = boto3.client("sns").list_subscriptions_by_topic(TopicArn=resource["TopicArn"])
    (arn,) = [
        each["SubscriptionArn"]
        for each in pages["Subscriptions"]
        if each["Endpoint"] == resource["Endpoint"]
    ]
    return arn


@contextmanager
def subscription_with(arn, name, value, symptom):
    sns = boto3.client("sns")
    before = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"][name]

    def put(text):
        sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName=name, AttributeValue=text
        )

    try:
        put(value)
        yield symptom, arn
    finally:
        put(before)


@contextmanager
def subscription_deleted(resource):
    sns = boto3.client("sns")
    try:
        sns.unsubscribe(SubscriptionArn=subscription_of(resource))
        yield Symptom.SUBSCRIPTION_MISSING, resource["Endpoint"]
    finally:
        sns.subscribe(
            TopicArn=resource["TopicArn"],
            Protocol="sqs",
            Endpoint=resource["Endpoint"],
            Attributes={
                "RawMessageDelivery": "true",
                "RedrivePolicy": json.dumps(resource["RedrivePolicy"]),
            },
        )


@contextmanager
def topic_policy_without_a_statement(topic):
    sns = boto3.client("sns")
    before = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    policy = json.loads(before)
    del policy["Statement"][1]

    def put(value):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=value)

    try:
        put(json.dumps(policy))
        yield Symptom.TOPIC_POLICY, topic
    finally:
        put(before)


@contextmanager
def schedule_with(name, symptom, **changed):
    scheduler = boto3.client("scheduler")
    before = scheduler.get_schedule(Name=name)
    members = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target", "State")
    kept = {each: before[each] for each in members}
    target = {**kept["Target"], **changed.pop("Target", {})}
    try:
        scheduler.update_schedule(**{**kept, **changed, "Target": target})
        yield symptom, name
    finally:
        scheduler.update_schedule(**kept)


@contextmanager
def no_expiry(table):
    dynamodb = boto3.client("dynamodb")

    def expire(enabled):
        dynamodb.update_time_to_live(
            TableName=table,
            TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": enabled},
        )

    try:
        expire(False)
        yield Symptom.TABLE_EXPIRY, table
    finally:
        expire(True)


@contextmanager
def no_backups(table):
    dynamodb = boto3.client("dynamodb")

    def back_up(enabled):
        dynamodb.update_continuous_backups(
            TableName=table,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )

    try:
        back_up(False)
        yield Symptom.TABLE_BACKUPS, table
    finally:
        back_up(True)


@contextmanager
def dead_letter(url):
    sqs = boto3.client("sqs")
    try:
        sqs.send_message(QueueUrl=url, MessageBody="{}")
        yield Symptom.DEAD_LETTERS, url
    finally:
        sqs.purge_queue(QueueUrl=url)


@contextmanager
def bus_deleted(arn):
    name, events = arn.partition("event-bus/")[2], boto3.client("events")
    try:
        events.delete_event_bus(Name=name)
        yield Symptom.RESOURCE_GONE, arn
    finally:
        events.create_event_bus(Name=name)


@contextmanager
def endpoint_with(outputs, symptom=None, topics=None, **output):
    """An endpoint beside those of the local system, with both topics unless others are given."""
    sagemaker, name = boto3.client("sagemaker"), f"speech-{uuid.uuid4().hex[:8]}"
    if topics is None:
        topics = {
            "SuccessTopic": outputs[StackOutput.SUCCESS_TOPIC_ARN],
            "ErrorTopic": outputs[StackOutput.ERROR_TOPIC_ARN],
        }
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=EXECUTION_ROLE_ARN)
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{"VariantName": "all", "ModelName": name}],
        AsyncInferenceConfig={
            "OutputConfig": {
                "S3OutputPath": f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX}{name}",
                "S3FailurePath": f"s3://{OUTPUT_BUCKET}/{FAILURE_PREFIX}{name}",
                "NotificationConfig": topics,
                **output,
            }
        },
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def is_there():
        return sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != "Creating"

    try:
        eventually(is_there)
        yield symptom, f"endpoint {name}"
    finally:
        sagemaker.delete_endpoint(EndpointName=name)


@contextmanager
def role_policies(keep, **added):
    """The execution role with other policies for a while."""
    iam = boto3.client("iam")
    names = iam.list_role_policies(RoleName=EXECUTION_ROLE)["PolicyNames"]
    before = {
        name: iam.get_role_policy(RoleName=EXECUTION_ROLE, PolicyName=name)["PolicyDocument"]
        for name in names
    }

    def put(policies):
        for name in iam.list_role_policies(RoleName=EXECUTION_ROLE)["PolicyNames"]:
            iam.delete_role_policy(RoleName=EXECUTION_ROLE, PolicyName=name)
        for name, policy in policies.items():
            iam.put_role_policy(
                RoleName=EXECUTION_ROLE, PolicyName=name, PolicyDocument=json.dumps(policy)
            )

    try:
        put({name: each for name, each in before.items() if keep(name)} | added)
        yield
    finally:
        put(before)


def test_a_healthy_deployment_is_one_line(session, began):
    done = run(variables(session), "doctor", "--stack", STACK, "--since", began.isoformat())
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert re.fullmatch(rf"{STACK}: healthy, \d+ checks found nothing\n", done.stderr)


def faults(deployment, outputs):
    """Two groups: no fault hides another of its group."""
    completed, failed = (
        outputs[StackOutput.COMPLETED_QUEUE_URL],
        outputs[StackOutput.FAILED_QUEUE_URL],
    )
    queues = {each.arn for each in deployment.of(QUEUE)}
    mappings = list(deployment.of(MAPPING))
    (of_queue, _), (of_stream, _) = (
        [each for each in mappings if (each.properties["EventSourceArn"] in queues) == is_queue]
        for is_queue in (True, False)
    )
    first, second = (each.properties for each in deployment.of(SUBSCRIPTION))
    (schedule,) = deployment.of(SCHEDULE)
    arn = subscription_of(second)
    other = {"Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:other"}
    yield [
        queue_with({"Policy": ""}, Symptom.QUEUE_POLICY, completed),
        queue_with({"RedrivePolicy": ""}, Symptom.QUEUE_REDRIVE, completed),
        queue_with({"VisibilityTimeout": "179"}, Symptom.VISIBILITY_TOO_SHORT, completed),
        queue_open_to_others(failed),
        mapping_with(of_queue, Symptom.MAPPING_RESPONSE, FunctionResponseTypes=[]),
        mapping_with(of_stream, Symptom.MAPPING_DISABLED, Enabled=False),
        stale_setting(outputs[StackOutput.RECONCILE_FUNCTION_NAME]),
        function_stopped(next(deployment.of(FUNCTION)).physical_id),
        subscription_deleted(first),
        subscription_with(arn, "RawMessageDelivery", "false", Symptom.DELIVERY_NOT_RAW),
        subscription_with(arn, "RedrivePolicy", "{}", Symptom.SUBSCRIPTION_REDRIVE),
        subscription_with(arn, "FilterPolicy", '{"kind": ["x"]}', Symptom.SUBSCRIPTION_FILTER),
        topic_policy_without_a_statement(outputs[StackOutput.SUCCESS_TOPIC_ARN]),
        schedule_with(schedule.physical_id, Symptom.SCHEDULE_DISABLED, State="DISABLED"),
        no_expiry(outputs[StackOutput.TABLE_NAME]),
        no_backups(outputs[StackOutput.SUMMARIES_TABLE_NAME]),
        dead_letter(outputs[StackOutput.SUMMARY_DEAD_LETTER_QUEUE_URL]),
        dead_letter(outputs[StackOutput.UNPROCESSABLE_QUEUE_URL]),
        bus_deleted(outputs[StackOutput.EVENT_BUS_ARN]),
    ]
    success, error = deployment.stack.topics
    elsewhere = f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX.rstrip('/')}-of-others/"
    yield [
        endpoint_with(
            outputs, Symptom.TOPICS_SWAPPED, {"SuccessTopic": error, "ErrorTopic": success}
        ),
        endpoint_with(outputs, Symptom.TOPIC_UNSET, {"SuccessTopic": success}),
        endpoint_with(
            outputs, Symptom.TOPIC_FOREIGN, {"SuccessTopic": foreign_topic(), "ErrorTopic": error}
        ),
        endpoint_with(outputs, Symptom.OUTPUT_OUTSIDE, S3OutputPath=elsewhere),
        schedule_with(schedule.physical_id, Symptom.SCHEDULE_TARGET, Target=other),
    ]


def foreign_topic():
    return boto3.client("sns").create_topic(Name="of-another-service")["TopicArn"]


@pytest.mark.parametrize("group", [0, 1])
def test_each_planted_fault_is_found_by_its_name_and_nothing_else_is(
    deployment, outputs, findings, group
):
    anything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["sns:*", "s3:*"], "Resource": "*"}],
    }
    with ExitStack() as planted:
        planted.enter_context(role_policies(lambda name: True, anything=anything))
        expected = [
            planted.enter_context(each) for each in list(faults(deployment, outputs))[group]
        ]
        found = [(each.symptom, each.resource) for each in findings()]
        assert sorted(set(found)) == sorted(expected)
    assert findings() == ()


def test_what_is_announced_to_a_topic_without_its_subscription_is_found_by_the_sweep(
    deployment, outputs, findings, invoke, register, record_of, sweep
):
    """And doctor tells that the subscription is missing: SNS counts no failure."""
    (subscription,) = (
        each.properties
        for each in deployment.of(SUBSCRIPTION)
        if each.properties["TopicArn"] == outputs[StackOutput.SUCCESS_TOPIC_ARN]
    )
    with subscription_deleted(subscription) as fault:
        assert [(each.symptom, each.resource) for each in findings()] == [fault]
        unheard = invoke(b"unheard of")
        eventually(lambda: is_there(unheard["OutputLocation"]))
        register(unheard, **OVERDUE)
        sweep()
        record = record_of(unheard["InferenceId"])
        assert (record["status"], record["source"]) == ("Completed", "reconciliation")
        assert record["output"]["inline"]["content"] == "unheard of"
    assert findings() == ()


def test_a_role_that_may_not_publish_is_found_for_each_of_its_endpoints(outputs, findings):
    with role_policies(lambda name: name == "own"):
        found = findings()
        assert {(each.symptom, each.resource) for each in found} == {
            (Symptom.ROLE_RIGHTS, EXECUTION_ROLE_ARN)
        }
        assert len(found) == len(ENDPOINTS)
        assert outputs[StackOutput.ERROR_TOPIC_ARN] in found[0].remedy
    assert findings() == ()


def test_an_endpoint_that_uses_no_topic_of_ours_matters_only_if_it_is_asked_for(outputs, findings):
    with endpoint_with(outputs, topics={}) as (_, resource):
        assert findings() == ()
        (found,) = findings(resource.removeprefix("endpoint "))
        assert (found.symptom, found.resource) == (Symptom.ENDPOINT_UNWIRED, resource)
    (found,) = findings("no-such-endpoint")
    assert found.symptom == Symptom.ENDPOINT_UNKNOWN


def test_an_endpoint_that_may_be_submitted_to_must_exist(outputs, findings):
    sagemaker = boto3.client("sagemaker")
    try:
        sagemaker.delete_endpoint(EndpointName="vision")
        (found,) = findings()
        assert (found.symptom, found.resource) == (Symptom.ENDPOINT_UNKNOWN, "endpoint vision")
    finally:
        sagemaker.create_endpoint(EndpointName="vision", EndpointConfigName="simulated")
    assert findings() == ()


def test_findings_in_a_pipe_and_as_json(session, outputs, began):
    words = ("doctor", "--stack", STACK, "--since", began.isoformat())
    with function_stopped(outputs[StackOutput.RECONCILE_FUNCTION_NAME]):
        in_pipe = run(variables(session), *words)
        as_json = run(variables(session), *words, "--json")
    assert in_pipe.returncode == as_json.returncode == 1
    (fields,) = [line.split("\t") for line in in_pipe.stdout.splitlines()]
    assert list(json.loads(as_json.stdout).values()) == fields
    assert fields[:2] == ["error", "function-stopped"]
    assert re.fullmatch(rf"{STACK}: 1 error, of \d+ checks\n", in_pipe.stderr)


def test_each_right_that_is_missing_is_named_and_the_other_checks_are_made(
    session, deployment, outputs, findings
):
    statements = documented_statements()
    kept = [each for each in statements if each["Sid"] == "Stack"]
    others = {
        action
        for each in statements
        for action in each["Action"]
        if each["Sid"] not in ("Stack", "CustomerKeys")
    }
    iam = boto3.client("iam")
    try:
        iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=policy_of(kept))
        found = findings()
    finally:
        iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=policy_of(statements))
    named = {each.problem.rpartition(" needs action ")[2] for each in found}
    # The pretended SageMaker asks nobody for rights; what comes after a refusal is not asked.
    after = {"sns:GetSubscriptionAttributes"}
    assert named == {each for each in others if not each.startswith("sagemaker:")} - after
    assert {each.symptom for each in found} == {Symptom.COULD_NOT_CHECK}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("doctor",), 2, "--stack"),
        (("doctor", "--stack", "no-such-stack"), 2, "there is no stack no-such-stack"),
    ],
)
def test_a_wrong_call_is_told_from_a_finding(folder, words, code, said):
    done = run(os.environ, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_stack_that_may_not_be_read_is_no_finding(folder):
    done = run(os.environ, "--profile", READER_ROLE, "doctor", "--stack", STACK)
    assert (done.returncode, done.stdout) == (5, "")
    assert "DescribeStacks: AccessDenied" in done.stderr


def test_the_commands_of_the_document_are_run(session, began):
    (commands,) = blocks("sh")
    # What other tests lost is theirs.
    fresh = re.sub(
        r"(--stack \S+)( --endpoint \S+)?( --since 2h)?",
        rf"\1\2 --since {began.isoformat()}",
        commands,
    )
    done = subprocess.run(
        ["bash", "-ec", fresh], env=variables(session), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("healthy") == 3
