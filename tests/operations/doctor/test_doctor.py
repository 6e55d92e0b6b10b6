"""Doctor's findings for AWS responses that the embedded AWS cannot return."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace

import boto3
import pytest
import typer
from botocore.exceptions import ClientError, ReadTimeoutError

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.cli.commands.doctor import print_report
from inference_results.client.errors import InvalidRequest
from inference_results.contract import Attribute, Service, StackOutput, Variable
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.doctor.deployment import (
    KEY,
    MAPPING,
    QUEUE,
    QUEUE_POLICY,
    SUBSCRIPTION,
    TABLE,
    TOPIC_POLICY,
    Deployment,
    Resource,
)
from inference_results.operations.doctor.deployment import TOPIC as TOPIC_TYPE
from inference_results.operations.doctor.endpoints import EndpointChecks
from inference_results.operations.doctor.event_bus import EventBusChecks
from inference_results.operations.doctor.finding import (
    Check,
    CheckRunner,
    Finding,
    Severity,
    Symptom,
)
from inference_results.operations.doctor.functions import FunctionChecks
from inference_results.operations.doctor.keys import KeyChecks
from inference_results.operations.doctor.policies import PolicyComparison
from inference_results.operations.doctor.queues import QueueChecks
from inference_results.operations.doctor.records import RecordChecks
from inference_results.operations.doctor.report import DoctorReport, deduplicate
from inference_results.operations.doctor.schedules import ScheduleChecks
from inference_results.operations.doctor.stack_state import OPTIONAL_OUTPUTS, stack_findings
from inference_results.operations.doctor.tables import TableChecks
from inference_results.operations.doctor.topics import TopicChecks
from inference_results.operations.endpoints.permissions import PermissionSimulator
from inference_results.operations.stack import Stack
from tests.cli.terminal import use_terminal
from tests.operations.doctor.simulated_stack import (
    ACCOUNT,
    REGION_AND_ACCOUNT,
    STACK,
    STACK_ID,
    SimulatedCloudFormation,
    simulate_deployment,
    template_for,
)
from tests.support.synthesis import ROOT, TOPIC, VARIANTS

DOCUMENT = ROOT / "docs" / "operations" / "doctor.md"
NOW = datetime(2026, 1, 25, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def deployment():
    return simulate_deployment()


def run_checks(checks, clients=()):
    run_check = CheckRunner(tuple(clients))
    return [finding for check in checks for finding in run_check(check)]


def symptoms(findings):
    return {each.symptom for each in findings}


def client_error(code, operation="GetQueueAttributes"):
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, operation)


# The template


def test_references_are_resolved_to_actual_names(deployment):
    (reconcile,) = deployment.functions_of(Service.RECONCILE)
    (recorder, _) = deployment.functions_of(Service.RECORD_RESULT)
    table = next(each for each in deployment.of_type(TABLE) if "Inferences" in each.physical_id)
    assert reconcile.environment[Variable.TABLE_NAME] == table.physical_id
    assert table.arn == f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/{table.physical_id}"
    unprocessable = recorder.environment[Variable.UNPROCESSABLE_QUEUE_URL]
    assert unprocessable in {each.physical_id for each in deployment.of_type(QUEUE)}
    subscription = next(deployment.of_type(SUBSCRIPTION)).properties
    assert deployment.queue(subscription["Endpoint"])
    assert deployment.setting(Variable.CURSOR_KEY) == STACK_ID


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_template_determines_all_function_variables(variant):
    for function in simulate_deployment(variant).functions:
        assert None not in function.environment.values()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_template_determines_all_queue_policies(variant):
    for policy in simulate_deployment(variant).of_type(QUEUE_POLICY):
        assert "null" not in json.dumps(policy.properties)


def test_a_template_in_yaml_is_not_of_this_service():
    cloudformation = SimulatedCloudFormation({"Resources": {}})
    cloudformation.body = "Resources: {}"
    with pytest.raises(InvalidRequest, match="a template in JSON"):
        Deployment.read(cloudformation, STACK)


# The stack


def stack(status="UPDATE_COMPLETE", reason=None, without=()):
    outputs = {each: "x" for each in StackOutput if each not in without}
    return Stack(STACK, outputs, arn=STACK_ID, status=status, reason=reason)


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("CREATE_COMPLETE", None),
        ("UPDATE_COMPLETE", None),
        ("IMPORT_COMPLETE", None),
        ("UPDATE_IN_PROGRESS", Severity.WARNING),
        ("UPDATE_ROLLBACK_IN_PROGRESS", Severity.WARNING),
        ("UPDATE_ROLLBACK_COMPLETE", Severity.ERROR),
        ("UPDATE_ROLLBACK_FAILED", Severity.ERROR),
        ("ROLLBACK_COMPLETE", Severity.ERROR),
        ("DELETE_FAILED", Severity.ERROR),
    ],
)
def test_an_unfinished_or_failed_deployment_is_reported(status, severity):
    found = list(stack_findings(stack(status, "no capacity")))
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert all("no capacity" in each.problem for each in found if severity is Severity.ERROR)


def test_missing_outputs_are_named():
    (found,) = stack_findings(stack(without=[StackOutput.SHARDS, StackOutput.API_URL]))
    assert (found.symptom, found.problem) == (
        Symptom.OUTPUTS_MISSING,
        "The stack lacks the outputs Shards.",
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_optional_outputs_are_not_missing(variant):
    outputs = template_for(variant)["Outputs"].keys()
    assert {each for each in StackOutput if each not in outputs} <= OPTIONAL_OUTPUTS


# Failed checks


def failing(error):
    def run():
        raise error

    return Check(resource="queue", run=run, effect_if_missing="Results are lost.")


@pytest.fixture(scope="module")
def client():
    session = boto3.Session("key", "secret", region_name="us-east-1")
    return cache(session.client)


@pytest.fixture
def clients(client):
    return [client("sqs")]


def documented_actions():
    (policy,) = re.findall(r"^```json\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)
    return re.findall(r'"([a-z]+:[A-Z]\w+)"', policy)


GROUPS = [
    ("sns",),
    ("sqs",),
    ("lambda", "sqs", "dynamodb"),
    ("scheduler",),
    ("kms",),
    ("events",),
    ("sagemaker", "iam"),
]
"""The services that one CheckRunner has clients of."""


@pytest.mark.parametrize(
    ("services", "action"),
    [
        (services, action)
        for services in GROUPS
        for action in documented_actions()
        if action.split(":")[0] in services
    ],
)
def test_each_missing_permission_is_named(client, services, action):
    service, operation = action.split(":")
    code = "AuthorizationError" if service == "sns" else "AccessDeniedException"
    (found,) = run_checks([failing(client_error(code, operation))], map(client, services))
    assert (found.severity, found.symptom) == (Severity.UNCHECKED, Symptom.COULD_NOT_CHECK)
    assert found.problem.endswith(f"needs permission {action}")


@pytest.mark.parametrize(
    "code",
    ["AWS.SimpleQueueService.NonExistentQueue", "NotFound", "ResourceNotFoundException"],
)
def test_a_missing_resource_is_reported_with_the_effect(clients, code):
    (found,) = run_checks([failing(client_error(code))], clients)
    assert (found.symptom, found.effect) == (Symptom.RESOURCE_MISSING, "Results are lost.")


@pytest.mark.parametrize(
    "error", [client_error("ThrottlingException"), ReadTimeoutError(endpoint_url="https://sqs")]
)
def test_a_failed_check_does_not_stop_the_others(clients, error):
    healthy = Check(resource="other", run=lambda: iter(()))
    (found,) = run_checks([failing(error), healthy], clients)
    assert found.symptom == Symptom.COULD_NOT_CHECK
    with pytest.raises(KeyError):
        run_checks([failing(KeyError("a bug"))], clients)


def test_duplicate_findings_are_reported_once():
    missing = Finding(
        severity=Severity.ERROR,
        symptom=Symptom.RESOURCE_MISSING,
        resource="table",
        problem="It does not exist.",
        effect="first",
        remedy="create it",
    )
    duplicate = replace(missing, effect="second")
    other = replace(missing, resource="queue")
    assert deduplicate([missing, duplicate, other, duplicate]) == (missing, other)


# Policies


def policy_findings(expected, actual):
    comparison = PolicyComparison(
        symptom=Symptom.QUEUE_POLICY,
        resource="queue",
        blocked="blocked",
        exposed="exposed",
        remedy="restore",
    )
    return list(comparison.findings({"Statement": expected}, actual and json.dumps(actual)))


ALLOW = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sqs:SendMessage"]}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Sid": "mine"}


def test_equivalent_statements_are_equal():
    same = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Sid": "of AWS"}
    assert policy_findings([ALLOW, DENY], {"Statement": [DENY, same]}) == []
    assert policy_findings([ALLOW], {"Statement": same}) == []


def test_the_effect_of_a_missing_statement_depends_on_allow_or_deny():
    found = policy_findings([ALLOW, DENY], None)
    assert {each.effect for each in found} == {"blocked", "exposed"}
    assert {each.severity for each in found} == {Severity.ERROR}


def test_an_additional_statement_is_a_warning():
    added = {**DENY, "Action": "sqs:SendMessage"}
    (found,) = policy_findings([ALLOW], {"Statement": [ALLOW, added]})
    assert (found.severity, "SendMessage" in found.problem) == (Severity.WARNING, True)


def test_a_statement_with_unknown_parts_is_not_missing():
    assert policy_findings([{**ALLOW, "Resource": None}], {"Statement": []}) == []


def test_no_statement_is_additional_if_the_template_has_one_with_unknown_parts():
    """The template can import a role from another stack."""
    imported = {**ALLOW, "Principal": {"AWS": None}}
    actual = {**ALLOW, "Principal": {"AWS": "arn:aws:iam::123456789012:role/model"}}
    assert policy_findings([DENY, imported], {"Statement": [DENY, actual]}) == []
    found = policy_findings([DENY, imported], {"Statement": [actual]})
    assert [each.effect for each in found] == ["exposed"]


# Topics


class SimulatedSns:
    """A client for the deployment's topics, with additional subscriptions."""

    def __init__(self, deployment, more=(), attributes=()):
        self.more = list(more)
        self.deployment = deployment
        self.attributes = dict(attributes)
        self.described = []
        self.email_subscription_arn = ""
        """Replaces the ARNs of all email subscriptions."""

    def get_topic_attributes(self, TopicArn):  # noqa: N803
        self.described.append(TopicArn)
        policies = [
            each.properties["PolicyDocument"]
            for each in self.deployment.of_type(TOPIC_POLICY)
            if TopicArn in each.properties["Topics"]
        ]
        return {"Attributes": {"Policy": json.dumps(policies[0])} if policies else {}}

    def get_paginator(self, operation):
        assert operation == "list_subscriptions_by_topic"
        return self

    def paginate(self, TopicArn):  # noqa: N803
        own = [
            {
                "Protocol": each.properties["Protocol"],
                "Endpoint": each.properties["Endpoint"],
                "SubscriptionArn": (
                    self.email_subscription_arn
                    if self.email_subscription_arn and each.properties["Protocol"] == "email"
                    else f"{TopicArn}:{number}"
                ),
            }
            for number, each in enumerate(self.deployment.of_type(SUBSCRIPTION))
            if each.properties["TopicArn"] == TopicArn
        ]
        return [{"Subscriptions": own}, {"Subscriptions": self.more}]

    def get_subscription_attributes(self, SubscriptionArn):  # noqa: N803
        number = int(SubscriptionArn.rpartition(":")[2])
        expected = list(self.deployment.of_type(SUBSCRIPTION))[number].properties
        redrive = json.dumps(expected["RedrivePolicy"])
        return {
            "Attributes": {
                "RawMessageDelivery": "true",
                "RedrivePolicy": redrive,
                **self.attributes,
            }
        }


def topic_findings(deployment, sns):
    return run_checks(TopicChecks(deployment=deployment, sns=sns).checks())


PENDING = {
    "Protocol": "email",
    "Endpoint": "team@example.com",
    "SubscriptionArn": "PendingConfirmation",
}


def test_existing_topics_are_checked():
    both, one = ("existing topics", ["done", "broken"]), ("one existing topic", ["all"])
    for variant, topics in (both, one):
        deployment = simulate_deployment(variant)
        sns = SimulatedSns(deployment)
        assert topic_findings(deployment, sns) == []
        ours = [each.physical_id for each in deployment.of_type(TOPIC_TYPE)]
        assert sns.described == [*ours, *(TOPIC + each for each in topics)]


def test_an_unconfirmed_address_is_reported_for_a_topic_that_only_an_output_names():
    alarms = f"arn:aws:sns:{REGION_AND_ACCOUNT}:alarms"
    deployment = simulate_deployment("existing topics", outputs={"AlarmTopicArn": alarms})
    sns = SimulatedSns(deployment, more=[PENDING])
    found = topic_findings(deployment, sns)
    assert symptoms(found) == {Symptom.SUBSCRIPTION_UNCONFIRMED}
    assert alarms in {each.resource for each in found}


def test_an_unsubscribed_address_is_missing_and_an_unconfirmed_one_is_not():
    deployment = simulate_deployment("email, boundary, older runtime")
    sns = SimulatedSns(deployment)
    assert topic_findings(deployment, sns) == []
    sns.email_subscription_arn = "PendingConfirmation"
    found = topic_findings(deployment, sns)
    assert [each.symptom for each in found] == [Symptom.SUBSCRIPTION_UNCONFIRMED] * 3
    sns.email_subscription_arn = "Deleted"
    found = topic_findings(deployment, sns)
    assert [each.symptom for each in found] == [Symptom.SUBSCRIPTION_MISSING] * 3
    assert {each.severity for each in found} == {Severity.WARNING}


def test_the_subscribe_command_restores_all_attributes(deployment):
    sns = SimulatedSns(deployment)
    sns.paginate = lambda TopicArn: []  # noqa: N803
    found = [
        each
        for each in topic_findings(deployment, sns)
        if each.symptom == Symptom.SUBSCRIPTION_MISSING
    ]
    assert len(found) == 2
    assert '"RawMessageDelivery": "true"' in found[0].remedy
    assert "deadLetterTargetArn" in found[0].remedy


# Functions and mappings


def function_findings(deployment, function=(), mapping=(), concurrency=(), table=(), queue=()):
    """Check a healthy deployment with these changes of the responses."""

    def get_function_configuration(FunctionName):  # noqa: N803
        (expected,) = [each for each in deployment.functions if each.physical_id == FunctionName]
        return {
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Timeout": 30,
            "Environment": {"Variables": dict(expected.environment)},
            **dict(function),
        }

    def get_event_source_mapping(UUID):  # noqa: N803
        (expected,) = [each for each in deployment.of_type(MAPPING) if each.physical_id == UUID]
        stream = f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/inferences/stream/1"
        return {
            "State": "Enabled",
            "EventSourceArn": expected.properties["EventSourceArn"] or stream,
            "FunctionResponseTypes": expected.properties.get("FunctionResponseTypes", []),
            **dict(mapping),
        }

    def describe_table(TableName):  # noqa: N803
        stream = f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/{TableName}/stream/1"
        return {"Table": {"LatestStreamArn": stream, **dict(table)}}

    checks = FunctionChecks(
        deployment=deployment,
        lambda_=SimpleNamespace(
            get_function_configuration=get_function_configuration,
            get_event_source_mapping=get_event_source_mapping,
            get_function_concurrency=lambda **_: dict(concurrency),
        ),
        sqs=SimpleNamespace(
            get_queue_attributes=lambda **_: {
                "Attributes": {"VisibilityTimeout": "180", **dict(queue)}
            }
        ),
        dynamodb=SimpleNamespace(describe_table=describe_table),
    ).checks()
    return run_checks(checks)


@pytest.mark.parametrize("variant", VARIANTS)
def test_functions_that_match_the_template_are_healthy(variant):
    assert function_findings(simulate_deployment(variant)) == []


@pytest.mark.parametrize(
    ("responses", "symptom"),
    [
        ({"function": {"State": "Failed", "StateReason": "no"}}, Symptom.FUNCTION_FAILED),
        ({"function": {"LastUpdateStatus": "Failed"}}, Symptom.FUNCTION_FAILED),
        ({"function": {"Environment": {}}}, Symptom.FUNCTION_SETTINGS),
        ({"function": {"Timeout": 31}}, Symptom.VISIBILITY_TOO_SHORT),
        ({"queue": {"VisibilityTimeout": "179"}}, Symptom.VISIBILITY_TOO_SHORT),
        ({"concurrency": {"ReservedConcurrentExecutions": 0}}, Symptom.FUNCTION_STOPPED),
        ({"mapping": {"State": "Disabling"}}, Symptom.MAPPING_DISABLED),
        ({"mapping": {"FunctionResponseTypes": []}}, Symptom.MAPPING_RESPONSE),
        (
            {"mapping": {"LastProcessingResult": "PROBLEM: Function call failed"}},
            Symptom.MAPPING_FAILING,
        ),
        ({"table": {"LatestStreamArn": "another"}}, Symptom.MAPPING_OLD_STREAM),
    ],
)
def test_faults_of_functions_are_found(deployment, responses, symptom):
    assert symptoms(function_findings(deployment, **responses)) == {symptom}


@pytest.mark.parametrize(
    "responses",
    [
        {"function": {"State": "Pending", "LastUpdateStatus": "InProgress"}},
        {"function": {"State": "Inactive"}},
        {"concurrency": {"ReservedConcurrentExecutions": 3}},
        {"mapping": {"State": "Updating", "LastProcessingResult": "No records processed"}},
    ],
)
def test_transient_and_intended_states_are_not_findings(deployment, responses):
    assert function_findings(deployment, **responses) == []


def test_the_remedy_restores_the_reserved_concurrency_of_the_template():
    limited = simulate_deployment(api_concurrency="50")
    found = function_findings(limited, concurrency={"ReservedConcurrentExecutions": 0})
    own = [each for each in found if "--reserved-concurrent-executions 50" in each.remedy]
    assert len(own) == 2
    assert all("delete-function-concurrency" in each.remedy for each in found if each not in own)


def test_a_stale_setting_is_shown_with_both_values_unless_it_is_secret(deployment):
    (api,) = deployment.functions_of(Service.STATUS_API)
    stale = {**api.environment, "SHARDS": "8", "CURSOR_KEY": "other"}
    found = function_findings(deployment, function={"Environment": {"Variables": stale}})
    (finding,) = [each for each in found if each.resource == api.physical_id]
    assert "SHARDS is 8, the stack has 4; CURSOR_KEY differs" in finding.problem
    assert STACK_ID not in finding.problem


# Queues


def queue_findings(deployment, **changed):
    def get_queue_attributes(QueueUrl, AttributeNames):  # noqa: N803
        policies = [
            each.properties["PolicyDocument"]
            for each in deployment.of_type(QUEUE_POLICY)
            if QueueUrl in each.properties["Queues"]
        ]
        (queue,) = [each for each in deployment.of_type(QUEUE) if each.physical_id == QueueUrl]
        redrive = queue.properties.get("RedrivePolicy")
        attributes = {
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "Policy": json.dumps(policies[0]),
            **({"RedrivePolicy": json.dumps(redrive)} if redrive else {}),
        }
        return {"Attributes": attributes | changed}

    sqs = SimpleNamespace(get_queue_attributes=get_queue_attributes)
    return run_checks(QueueChecks(deployment=deployment, sqs=sqs).checks())


@pytest.mark.parametrize("variant", VARIANTS)
def test_queues_that_match_the_template_are_healthy(variant):
    assert queue_findings(simulate_deployment(variant)) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_messages_are_reported_for_all_queues_that_no_function_drains(variant):
    deployment = simulate_deployment(variant)
    found = queue_findings(deployment, ApproximateNumberOfMessagesNotVisible="2")
    drained = {each.properties["EventSourceArn"] for each in deployment.of_type(MAPPING)}
    undrained = {each.physical_id for each in deployment.of_type(QUEUE) if each.arn not in drained}
    assert {each.resource for each in found} == undrained
    assert symptoms(found) == {Symptom.DEAD_LETTERS}


def test_a_redrive_to_another_queue_is_found(deployment):
    elsewhere = json.dumps({"deadLetterTargetArn": "arn:of:another", "maxReceiveCount": 5})
    assert symptoms(queue_findings(deployment, RedrivePolicy=elsewhere)) == {Symptom.QUEUE_REDRIVE}


# Tables, keys, event bus


def table_findings(deployment, table=(), ttl=(), backups="ENABLED"):
    def describe_table(TableName):  # noqa: N803
        (expected,) = [each for each in deployment.of_type(TABLE) if each.physical_id == TableName]
        indexes = expected.properties.get("GlobalSecondaryIndexes", [])
        healthy = {
            "TableStatus": "ACTIVE",
            "DeletionProtectionEnabled": True,
            "StreamSpecification": {"StreamEnabled": True},
            "GlobalSecondaryIndexes": [
                {"IndexName": each["IndexName"], "IndexStatus": "ACTIVE"} for each in indexes
            ],
        }
        return {"Table": healthy | dict(table)}

    description = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at", **dict(ttl)}
    recovery = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": backups}}
    dynamodb = SimpleNamespace(
        describe_table=describe_table,
        describe_time_to_live=lambda **_: {"TimeToLiveDescription": description},
        describe_continuous_backups=lambda **_: {"ContinuousBackupsDescription": recovery},
    )
    return run_checks(TableChecks(deployment=deployment, dynamodb=dynamodb).checks())


def test_other_resources_in_the_stack_can_lack_optional_properties(deployment):
    """An app can have a table without TTL, and an event source mapping without a queue."""
    others = (
        Resource(resource_type=TABLE, physical_id="theirs", arn=None, properties={}),
        Resource(
            resource_type=MAPPING, physical_id="theirs", arn=None, properties={"FunctionName": "f"}
        ),
    )
    shared = replace(deployment, resources=(*deployment.resources, *others))
    assert table_findings(shared) == []
    list(FunctionChecks(deployment=shared, lambda_=None, sqs=None, dynamodb=None).checks())


@pytest.mark.parametrize("variant", VARIANTS)
def test_tables_that_match_the_template_are_healthy(variant):
    assert table_findings(simulate_deployment(variant)) == []


@pytest.mark.parametrize(
    ("responses", "symptom"),
    [
        (
            {"table": {"TableStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS"}},
            Symptom.TABLE_STATE,
        ),
        ({"table": {"GlobalSecondaryIndexes": []}}, Symptom.TABLE_INDEX),
        ({"table": {"StreamSpecification": {"StreamEnabled": False}}}, Symptom.TABLE_STREAM),
        ({"table": {"DeletionProtectionEnabled": False}}, Symptom.TABLE_UNPROTECTED),
        ({"ttl": {"TimeToLiveStatus": "DISABLED"}}, Symptom.TABLE_TTL),
        ({"ttl": {"AttributeName": "other"}}, Symptom.TABLE_TTL),
        ({"backups": "DISABLED"}, Symptom.TABLE_BACKUPS),
    ],
)
def test_faults_of_tables_are_found(deployment, responses, symptom):
    assert symptoms(table_findings(deployment, **responses)) == {symptom}


def test_a_table_that_is_not_retained_needs_no_deletion_protection():
    temporary = simulate_deployment(retain="false")
    assert table_findings(temporary, table={"DeletionProtectionEnabled": False}) == []


def key_findings(deployment, state):
    kms = SimpleNamespace(describe_key=lambda **_: {"KeyMetadata": {"KeyState": state}})
    return run_checks(KeyChecks(deployment=deployment, kms=kms).checks())


def test_each_customer_key_must_be_enabled():
    deployment = simulate_deployment("customer keys")
    assert key_findings(deployment, "Enabled") == []
    found = key_findings(deployment, "PendingDeletion")
    keys = {each.physical_id for each in deployment.of_type(KEY)}
    assert {each.resource for each in found} == keys


def described_buses(deployment):
    names = []
    events = SimpleNamespace(describe_event_bus=lambda Name: names.append(Name))  # noqa: N803
    assert run_checks(EventBusChecks(deployment=deployment, events=events).checks()) == []
    return names


def test_a_bus_is_described_by_name_and_one_of_another_account_by_arn():
    assert described_buses(simulate_deployment("existing bus")) == ["shared"]
    foreign = "arn:aws:events:eu-west-1:210987654321:event-bus/shared"
    deployment = simulate_deployment("existing bus", event_bus_arn=foreign)
    assert described_buses(deployment) == [foreign]
    assert described_buses(simulate_deployment("no events")) == []


def test_a_schedule_that_matches_the_template_is_healthy(deployment):
    (reconcile,) = deployment.functions_of(Service.RECONCILE)
    schedule = {"State": "ENABLED", "Target": {"Arn": reconcile.arn}}
    scheduler = SimpleNamespace(get_schedule=lambda **_: schedule)
    assert run_checks(ScheduleChecks(deployment=deployment, scheduler=scheduler).checks()) == []


# Endpoints


def endpoint_findings(
    deployment, *, listed=(), topics=(), required=(), missing_context=None, config=None
):
    """Check endpoints with these topics, whose role has all permissions."""
    described = {
        "EndpointArn": f"arn:aws:sagemaker:{REGION_AND_ACCOUNT}:endpoint/speech",
        "EndpointStatus": "InService",
        "EndpointConfigName": "speech-1",
        "LastModifiedTime": NOW,
    }
    usual = {
        "ProductionVariants": [{"ModelName": "speech"}],
        "AsyncInferenceConfig": {
            "OutputConfig": {
                "S3OutputPath": "s3://customer-outputs/async",
                "NotificationConfig": dict(topics),
            }
        },
    }
    pages = [{"Endpoints": [{"EndpointName": each}]} for each in listed]
    sagemaker = SimpleNamespace(
        describe_endpoint=lambda **_: described,
        describe_endpoint_config=config or (lambda **_: usual),
        describe_model=lambda **_: {"ExecutionRoleArn": "role"},
        get_paginator=lambda _: SimpleNamespace(paginate=lambda: pages),
    )
    decision = {
        "EvalDecision": "implicitDeny" if missing_context else "allowed",
        "MissingContextValues": [missing_context] if missing_context else [],
    }
    iam = SimpleNamespace(simulate_principal_policy=lambda **_: {"EvaluationResults": [decision]})
    checks = EndpointChecks(
        deployment=deployment,
        sagemaker=sagemaker,
        permissions=PermissionSimulator(sagemaker, iam),
        run_check=CheckRunner(()),
        required=required,
    ).checks()
    return run_checks(checks)


@pytest.fixture(scope="module")
def deployment_with_topics(deployment):
    topics = [each.physical_id for each in deployment.of_type(TOPIC_TYPE)]
    (completed,), (failed,) = (
        [each for each in topics if name in each] for name in ("Completed", "Failed")
    )
    return simulate_deployment(outputs={"SuccessTopicArn": completed, "ErrorTopicArn": failed})


def topics_of(deployment):
    success, error = deployment.stack.topics
    return {"SuccessTopic": success, "ErrorTopic": error}


def test_endpoints_cannot_be_checked_without_the_topic_outputs():
    found = endpoint_findings(simulate_deployment("submission"))
    assert {each.resource for each in found} == {"endpoint speech", "endpoint OCR-2"}
    assert "has no output SuccessTopicArn" in found[0].problem


def test_an_attached_endpoint_is_healthy_and_other_endpoints_are_ignored(deployment_with_topics):
    topics = topics_of(deployment_with_topics)
    assert endpoint_findings(deployment_with_topics, listed=["speech"], topics=topics) == []
    foreign = {"SuccessTopic": TOPIC + "other", "ErrorTopic": TOPIC + "other"}
    assert endpoint_findings(deployment_with_topics, listed=["speech"], topics=foreign) == []
    (found,) = endpoint_findings(deployment_with_topics, required=("speech",), topics=foreign)
    assert found.symptom == Symptom.ENDPOINT_NOT_ATTACHED


def test_an_endpoint_with_a_deleted_config_is_reported_only_if_required(deployment_with_topics):
    def config(**_):
        raise client_error("ValidationException", "DescribeEndpointConfig")

    assert endpoint_findings(deployment_with_topics, listed=["speech"], config=config) == []
    (found,) = endpoint_findings(deployment_with_topics, required=("speech",), config=config)
    assert found.symptom == Symptom.COULD_NOT_CHECK


def test_topics_of_a_former_deployment_are_found_but_not_those_of_another_stack(
    deployment_with_topics,
):
    topics = topics_of(deployment_with_topics)
    former = {name: arn.rpartition("-")[0] + "-FORMER" for name, arn in topics.items()}
    found = endpoint_findings(deployment_with_topics, listed=["speech"], topics=former)
    assert [each.symptom for each in found] == [Symptom.TOPIC_MISMATCH] * 2
    other = {name: arn.replace(STACK, f"{STACK}-staging") for name, arn in topics.items()}
    assert endpoint_findings(deployment_with_topics, listed=["speech"], topics=other) == []


def test_a_permission_with_a_condition_is_unknown(deployment_with_topics):
    found = endpoint_findings(
        deployment_with_topics,
        listed=["speech"],
        topics=topics_of(deployment_with_topics),
        missing_context="aws:SourceVpc",
    )
    assert symptoms(found) == {Symptom.COULD_NOT_CHECK}
    assert "aws:SourceVpc" in found[0].problem


# Records


@pytest.fixture
def record_findings(table_name, deployment):
    """Check items with these statuses and times.

    Reconcile runs every 5 minutes, and ends records 10 minutes after their deadlines.
    """
    dynamodb = boto3.client("dynamodb")

    def record_findings(*items, since=NOW - timedelta(days=1), recorded_at=NOW - timedelta(days=1)):
        for number, (status, time) in enumerate(items):
            inference_id = f"id-{number}"
            dynamodb.put_item(
                TableName=table_name,
                Item={
                    Attribute.INFERENCE_ID: {"S": inference_id},
                    Attribute.ENDPOINT_NAME: {"S": "speech"},
                    Attribute.RECORDED_AT: {"S": timestamp(recorded_at)},
                    Attribute.STATUS_SHARD: {"S": f"{number % 4}#{status}"},
                    Attribute.STATUS_SORT: {"S": f"{timestamp(time)}#{inference_id}#speech"},
                },
            )
        with ThreadPoolExecutor(4) as pool:
            checks = RecordChecks(
                deployment=deployment,
                table_name=table_name,
                queries=InferenceQueries(dynamodb, table_name, 4, pool),
                overdue=OverdueQueries(dynamodb, table_name, 4),
                since=since,
                now=NOW,
            ).checks()
            return run_checks(checks)

    return record_findings


def test_lost_records_of_a_day_are_counted_and_some_are_named(record_findings):
    hours = timedelta(hours=1)
    (found,) = record_findings(
        *[("Lost", NOW - number * hours) for number in (1, 2, 3, 4, 5, 6, 25)],
        ("Failed", NOW - hours),
    )
    assert found.symptom == Symptom.LOST_RECORDS
    assert found.problem.startswith("6 records became Lost since 2026-01-24T12:00:00.000Z: id-0,")
    assert found.problem.endswith("id-4, ...")


def test_records_lost_before_since_are_not_reported(record_findings):
    assert record_findings(("Lost", NOW - timedelta(hours=3)), since=NOW - timedelta(hours=2)) == []


def test_a_record_that_reconcile_can_still_end_is_not_a_finding(record_findings):
    assert record_findings(("InProgress", NOW - timedelta(minutes=24))) == []


def test_a_record_that_reconcile_should_have_ended_is_an_error(record_findings):
    (found,) = record_findings(("InProgress", NOW - timedelta(minutes=26)))
    assert (found.symptom, found.severity) == (Symptom.OVERDUE_RECORDS, Severity.ERROR)
    assert "id-0" in found.problem
    assert "Reconcile" in found.remedy


def test_a_record_registered_long_after_its_deadline_is_not_a_finding(record_findings):
    registered = NOW - timedelta(minutes=5)
    assert record_findings(("InProgress", NOW - timedelta(days=300)), recorded_at=registered) == []


# The document


def test_every_symptom_is_documented():
    document = DOCUMENT.read_text()
    table = document.partition("| symptom | meaning |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.M)
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(cells))) == sorted(Symptom)


def test_accounts_in_the_document_are_examples():
    document = DOCUMENT.read_text()
    assert set(re.findall(r"\d{12}", document)) <= {ACCOUNT}


# Output


def test_a_finding_is_an_escaped_block_on_a_terminal(monkeypatch, capsys):
    finding = Finding(
        severity=Severity.ERROR,
        symptom=Symptom.QUEUE_POLICY,
        resource="queue",
        problem="It has \x1b[2J[bold] in it.",
        effect="Bad.",
        remedy="Run: it",
    )
    use_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(typer.Exit) as end:
        print_report("Results", DoctorReport(findings=(finding,), check_count=7), json=False)
    assert end.value.exit_code == 1
    shown = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert shown.splitlines() == [
        "error  queue-policy  queue",
        r"  It has \x1b[2J[bold] in it.",
        "  Bad.",
        "  Run: it",
    ]
