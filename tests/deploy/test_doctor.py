"""`inference-results doctor` on the deployed system, with the documented policy.

Each test plants faults with boto3 and repairs them, because other tests use the deployment too.
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
from inference_results.operations.doctor.finding import Symptom
from inference_results.operations.doctor.report import DoctorReport
from local.deployment import ENDPOINTS, FAILURE_PREFIX, OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import ACCOUNT, EXECUTION_ROLE, EXECUTION_ROLE_ARN, READER_ROLE
from tests.deploy.documented_policies import DOCTOR, doctor_statements, policy_of
from tests.deploy.inferences import OVERDUE, object_exists
from tests.support.documents import blocks
from tests.support.waiting import eventually

STACK = "InferenceResults"
ROLE = "doctor"
COMMAND = str(Path(sys.executable).with_name("inference-results"))


@pytest.fixture(scope="module")
def start_time(folder):
    """The start time of these tests, after removing what other tests left behind."""
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
    """A session of a role with the documented policy."""
    policy = policy_of(doctor_statements())
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
def findings(session, start_time):
    def findings(*endpoints):
        report = DoctorReport.create(
            session, STACK, endpoints=endpoints, since=start_time, now=datetime.now(UTC)
        )
        return report.findings

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


# Each fault is a context manager that plants it, yields the expected finding, and repairs it.


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
    response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    policy = json.loads(response["Attributes"]["Policy"])
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
    """Return the current ARN, which changes when the queue is subscribed again."""
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
        yield Symptom.TABLE_TTL, table
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
        yield Symptom.RESOURCE_MISSING, arn
    finally:
        events.create_event_bus(Name=name)


@contextmanager
def endpoint_with(outputs, symptom=None, topics=None, **output):
    """Create another endpoint, with both topics of the stack unless others are given."""
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

    def is_created():
        return sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != "Creating"

    try:
        eventually(is_created)
        yield symptom, f"endpoint {name}"
    finally:
        sagemaker.delete_endpoint(EndpointName=name)


@contextmanager
def role_policies(keep, **added):
    """Temporarily replace the policies of the execution role."""
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


def test_a_healthy_deployment_is_one_line(session, start_time):
    done = run(variables(session), "doctor", "--stack", STACK, "--since", start_time.isoformat())
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert re.fullmatch(rf"{STACK}: healthy, \d+ checks found nothing\n", done.stderr)


def faults(deployment, outputs):
    """Yield two groups of faults. No fault hides another one of its group."""
    completed, failed = (
        outputs[StackOutput.COMPLETED_QUEUE_URL],
        outputs[StackOutput.FAILED_QUEUE_URL],
    )
    queues = {each.arn for each in deployment.of_type(QUEUE)}
    mappings = list(deployment.of_type(MAPPING))
    (of_queue, _), (of_stream, _) = (
        [each for each in mappings if (each.properties["EventSourceArn"] in queues) == is_queue]
        for is_queue in (True, False)
    )
    first, second = (each.properties for each in deployment.of_type(SUBSCRIPTION))
    (schedule,) = deployment.of_type(SCHEDULE)
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
        function_stopped(next(deployment.of_type(FUNCTION)).physical_id),
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
            outputs, Symptom.TOPIC_MISMATCH, {"SuccessTopic": foreign_topic(), "ErrorTopic": error}
        ),
        endpoint_with(outputs, Symptom.OUTPUT_NOT_ALLOWED, S3OutputPath=elsewhere),
        schedule_with(schedule.physical_id, Symptom.SCHEDULE_TARGET, Target=other),
    ]


def foreign_topic():
    return boto3.client("sns").create_topic(Name="of-another-service")["TopicArn"]


@pytest.mark.parametrize("group", [0, 1])
def test_each_planted_fault_and_nothing_else_is_found(deployment, outputs, findings, group):
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


def test_reconciliation_finds_results_while_a_subscription_is_missing(
    deployment, outputs, findings, invoke, register, wait_for_record, reconcile
):
    """doctor reports the missing subscription, for which SNS counts no failure."""
    (subscription,) = (
        each.properties
        for each in deployment.of_type(SUBSCRIPTION)
        if each.properties["TopicArn"] == outputs[StackOutput.SUCCESS_TOPIC_ARN]
    )
    with subscription_deleted(subscription) as fault:
        assert [(each.symptom, each.resource) for each in findings()] == [fault]
        response = invoke(b"recovered")
        eventually(lambda: object_exists(response["OutputLocation"]))
        register(response, **OVERDUE)
        reconcile()
        record = wait_for_record(response["InferenceId"])
        assert (record["status"], record["source"]) == ("Completed", "reconciliation")
        assert record["output"]["inline"]["content"] == "recovered"
    assert findings() == ()


def test_a_role_that_cannot_publish_is_found_for_each_of_its_endpoints(outputs, findings):
    with role_policies(lambda name: name == "own"):
        found = findings()
        assert {(each.symptom, each.resource) for each in found} == {
            (Symptom.ROLE_PERMISSIONS, EXECUTION_ROLE_ARN)
        }
        assert len(found) == len(ENDPOINTS)
        assert outputs[StackOutput.ERROR_TOPIC_ARN] in found[0].remedy
    assert findings() == ()


def test_an_unattached_endpoint_is_a_finding_only_if_named(outputs, findings):
    with endpoint_with(outputs, topics={}) as (_, resource):
        assert findings() == ()
        (found,) = findings(resource.removeprefix("endpoint "))
        assert (found.symptom, found.resource) == (Symptom.ENDPOINT_NOT_ATTACHED, resource)
    (found,) = findings("no-such-endpoint")
    assert found.symptom == Symptom.ENDPOINT_MISSING


def test_a_missing_submit_endpoint_is_found(outputs, findings):
    sagemaker = boto3.client("sagemaker")
    try:
        sagemaker.delete_endpoint(EndpointName="vision")
        (found,) = findings()
        assert (found.symptom, found.resource) == (Symptom.ENDPOINT_MISSING, "endpoint vision")
    finally:
        sagemaker.create_endpoint(EndpointName="vision", EndpointConfigName="simulated")
    assert findings() == ()


def test_findings_in_a_pipe_and_as_json(session, outputs, start_time):
    words = ("doctor", "--stack", STACK, "--since", start_time.isoformat())
    with function_stopped(outputs[StackOutput.RECONCILE_FUNCTION_NAME]):
        in_pipe = run(variables(session), *words)
        as_json = run(variables(session), *words, "--json")
    assert in_pipe.returncode == as_json.returncode == 1
    (fields,) = [line.split("\t") for line in in_pipe.stdout.splitlines()]
    assert list(json.loads(as_json.stdout).values()) == fields
    assert fields[:2] == ["error", "function-stopped"]
    assert re.fullmatch(rf"{STACK}: 1 error in \d+ checks\n", in_pipe.stderr)


def test_each_missing_permission_is_named_and_the_other_checks_run(
    session, deployment, outputs, findings
):
    statements = doctor_statements()
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
    named = {each.problem.rpartition(" needs permission ")[2] for each in found}
    # The simulated SageMaker checks no permissions, and a denied check skips the calls after it.
    skipped = {"sns:GetSubscriptionAttributes"}
    assert named == {each for each in others if not each.startswith("sagemaker:")} - skipped
    assert {each.symptom for each in found} == {Symptom.COULD_NOT_CHECK}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("doctor",), 2, "--stack"),
        (("doctor", "--stack", "no-such-stack"), 2, "no stack named no-such-stack"),
    ],
)
def test_a_usage_error_is_not_a_finding(folder, words, code, message):
    done = run(os.environ, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


def test_a_denied_stack_is_not_a_finding(folder):
    done = run(os.environ, "--profile", READER_ROLE, "doctor", "--stack", STACK)
    assert (done.returncode, done.stdout) == (5, "")
    assert "DescribeStacks: AccessDenied" in done.stderr


def test_the_documented_commands_work(session, start_time):
    (commands,) = blocks(DOCTOR, "sh")
    # Ignore what other tests lost before.
    fresh = re.sub(
        r"(--stack \S+)( --endpoint \S+)?( --since 2h)?",
        rf"\1\2 --since {start_time.isoformat()}",
        commands,
    )
    done = subprocess.run(
        ["bash", "-ec", fresh], env=variables(session), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("healthy") == 3
