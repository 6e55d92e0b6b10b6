"""What the doctor finds, with answers of AWS that the embedded one does not give."""

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
from inference_results.cli.doctor_output import show_examination
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
from inference_results.operations.doctor.deployment import TOPIC as TOPIC_KIND
from inference_results.operations.doctor.endpoints import NotifiedEndpoints
from inference_results.operations.doctor.examination import Examination, once
from inference_results.operations.doctor.finding import Check, Examiner, Finding, Severity, Symptom
from inference_results.operations.doctor.functions import Functions
from inference_results.operations.doctor.policies import PolicyWatch
from inference_results.operations.doctor.queues import Queues
from inference_results.operations.doctor.records import RecordChecks
from inference_results.operations.doctor.stack_state import OPTIONAL_OUTPUTS, stack_findings
from inference_results.operations.doctor.surroundings import Surroundings
from inference_results.operations.doctor.tables import Tables
from inference_results.operations.doctor.topics import Topics
from inference_results.operations.endpoints.permissions import PermissionSimulator
from inference_results.operations.stack import Stack
from tests.operations.doctor.simulated_stack import (
    ACCOUNT,
    PLACE,
    STACK,
    STACK_ID,
    PretendCloudFormation,
    deployment_of,
    template_of,
)
from tests.synthesis import ROOT, TOPIC, VARIANTS

DOCUMENT = ROOT / "docs" / "operations" / "doctor.md"
NOW = datetime(2026, 1, 25, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def deployment():
    return deployment_of()


def examine(checks, clients=()):
    examiner = Examiner(tuple(clients))
    return [finding for check in checks for finding in examiner(check)]


def symptoms(findings):
    return {each.symptom for each in findings}


def refusal(code, operation="GetQueueAttributes"):
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, operation)


# The template


def test_references_become_the_names_that_aws_gave(deployment):
    (sweep,) = deployment.functions_of(Service.RECONCILE)
    (recorder, _) = deployment.functions_of(Service.RECORD_RESULT)
    table = next(each for each in deployment.of(TABLE) if "Inferences" in each.physical_id)
    assert sweep.environment[Variable.TABLE_NAME] == table.physical_id
    assert table.arn == f"arn:aws:dynamodb:{PLACE}:table/{table.physical_id}"
    parked = recorder.environment[Variable.UNPROCESSABLE_QUEUE_URL]
    assert parked in {each.physical_id for each in deployment.of(QUEUE)}
    subscription = next(deployment.of(SUBSCRIPTION)).properties
    assert deployment.queue(subscription["Endpoint"])
    assert deployment.setting(Variable.CURSOR_KEY) == STACK_ID


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variable_of_every_function_is_known_from_the_template(variant):
    for function in deployment_of(variant).functions:
        assert None not in function.environment.values()


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_policy_of_every_queue_is_known_from_the_template(variant):
    for policy in deployment_of(variant).of(QUEUE_POLICY):
        assert "null" not in json.dumps(policy.properties)


def test_a_stack_whose_template_is_no_json_is_none_of_this_service():
    cloudformation = PretendCloudFormation({"Resources": {}})
    cloudformation.body = "Resources: {}"
    with pytest.raises(InvalidRequest, match="no JSON"):
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
def test_how_the_last_deployment_ended_is_told(status, severity):
    found = list(stack_findings(stack(status, "no capacity")))
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert all("no capacity" in each.problem for each in found if severity is Severity.ERROR)


def test_outputs_that_an_older_stack_lacks_are_named():
    (found,) = stack_findings(stack(without=[StackOutput.SHARDS, StackOutput.API_URL]))
    assert (found.symptom, found.problem) == (
        Symptom.OUTPUTS_MISSING,
        "It has no outputs Shards.",
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_some_settings_leave_out_of_the_outputs_is_not_missed(variant):
    outputs = template_of(variant)["Outputs"].keys()
    assert {each for each in StackOutput if each not in outputs} <= OPTIONAL_OUTPUTS


# Checks that cannot be made


def failing(error):
    def run():
        raise error

    return Check(resource="queue", run=run, if_gone="It is bad.")


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
    ("scheduler", "events", "kms"),
    ("sagemaker", "iam"),
]
"""Services that checks use together."""


@pytest.mark.parametrize(
    ("services", "action"),
    [
        (services, action)
        for services in GROUPS
        for action in documented_actions()
        if action.split(":")[0] in services
    ],
)
def test_each_right_that_is_missing_is_named(client, services, action):
    service, operation = action.split(":")
    code = "AuthorizationError" if service == "sns" else "AccessDeniedException"
    (found,) = examine([failing(refusal(code, operation))], map(client, services))
    assert (found.severity, found.symptom) == (Severity.UNCHECKED, Symptom.COULD_NOT_CHECK)
    assert found.problem.endswith(f"needs action {action}")


@pytest.mark.parametrize(
    "code",
    ["AWS.SimpleQueueService.NonExistentQueue", "NotFound", "ResourceNotFoundException"],
)
def test_what_is_gone_is_told_with_what_it_means(clients, code):
    (found,) = examine([failing(refusal(code))], clients)
    assert (found.symptom, found.effect) == (Symptom.RESOURCE_GONE, "It is bad.")


@pytest.mark.parametrize(
    "error", [refusal("ThrottlingException"), ReadTimeoutError(endpoint_url="https://sqs")]
)
def test_a_check_that_aws_does_not_answer_does_not_end_the_others(clients, error):
    healthy = Check(resource="other", run=lambda: iter(()))
    (found,) = examine([failing(error), healthy], clients)
    assert found.symptom == Symptom.COULD_NOT_CHECK
    with pytest.raises(KeyError):
        examine([failing(KeyError("a bug"))], clients)


def test_what_several_checks_find_alike_is_told_once():
    gone = Finding(
        severity=Severity.ERROR,
        symptom=Symptom.RESOURCE_GONE,
        resource="table",
        problem="It is gone.",
        effect="first",
        remedy="create it",
    )
    again = replace(gone, effect="second")
    other = replace(gone, resource="queue")
    assert once([gone, again, other, again]) == (gone, other)


# Policies


def policy_findings(expected, actual):
    watch = PolicyWatch(
        symptom=Symptom.QUEUE_POLICY, resource="queue", refused="refused", open="open", remedy="do"
    )
    return list(watch.findings({"Statement": expected}, actual and json.dumps(actual)))


ALLOW = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sqs:SendMessage"]}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Sid": "mine"}


def test_statements_that_mean_the_same_are_the_same():
    same = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Sid": "of AWS"}
    assert policy_findings([ALLOW, DENY], {"Statement": [DENY, same]}) == []
    assert policy_findings([ALLOW], {"Statement": same}) == []


def test_what_a_missing_statement_means_depends_on_its_effect():
    found = policy_findings([ALLOW, DENY], None)
    assert {each.effect for each in found} == {"refused", "open"}
    assert {each.severity for each in found} == {Severity.ERROR}


def test_a_statement_that_was_added_is_a_warning():
    added = {**DENY, "Action": "sqs:SendMessage"}
    (found,) = policy_findings([ALLOW], {"Statement": [ALLOW, added]})
    assert (found.severity, "SendMessage" in found.problem) == (Severity.WARNING, True)


def test_a_statement_that_is_not_known_whole_is_not_missed():
    assert policy_findings([{**ALLOW, "Resource": None}], {"Statement": []}) == []


def test_what_may_be_a_statement_that_is_not_known_whole_is_not_taken_for_added():
    """As the role of another stack, which the template imports."""
    imported = {**ALLOW, "Principal": {"AWS": None}}
    there = {**ALLOW, "Principal": {"AWS": "arn:aws:iam::123456789012:role/model"}}
    assert policy_findings([DENY, imported], {"Statement": [DENY, there]}) == []
    found = policy_findings([DENY, imported], {"Statement": [there]})
    assert [each.effect for each in found] == ["open"]


# Topics


class PretendSns:
    """Every topic has every subscription of the deployment, and more."""

    def __init__(self, deployment, more=(), attributes=()):
        self.more = list(more)
        self.deployment = deployment
        self.attributes = dict(attributes)
        self.asked = []
        self.of_addresses = ""
        """In place of the ARNs of the subscriptions of addresses."""

    def get_topic_attributes(self, TopicArn):  # noqa: N803
        self.asked.append(TopicArn)
        policies = [
            each.properties["PolicyDocument"]
            for each in self.deployment.of(TOPIC_POLICY)
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
                    self.of_addresses
                    if self.of_addresses and each.properties["Protocol"] == "email"
                    else f"{TopicArn}:{number}"
                ),
            }
            for number, each in enumerate(self.deployment.of(SUBSCRIPTION))
            if each.properties["TopicArn"] == TopicArn
        ]
        return [{"Subscriptions": own}, {"Subscriptions": self.more}]

    def get_subscription_attributes(self, SubscriptionArn):  # noqa: N803
        number = int(SubscriptionArn.rpartition(":")[2])
        expected = list(self.deployment.of(SUBSCRIPTION))[number].properties
        redrive = json.dumps(expected["RedrivePolicy"])
        return {
            "Attributes": {
                "RawMessageDelivery": "true",
                "RedrivePolicy": redrive,
                **self.attributes,
            }
        }


PENDING = {
    "Protocol": "email",
    "Endpoint": "team@example.com",
    "SubscriptionArn": "PendingConfirmation",
}


def test_topics_that_exist_and_one_topic_for_both_are_looked_at():
    both, one = ("existing topics", ["done", "broken"]), ("one existing topic", ["all"])
    for variant, topics in (both, one):
        deployment = deployment_of(variant)
        sns = PretendSns(deployment)
        assert examine(Topics(deployment=deployment, sns=sns).checks()) == []
        ours = [each.physical_id for each in deployment.of(TOPIC_KIND)]
        assert sns.asked == [*ours, *(TOPIC + each for each in topics)]


def test_an_address_that_has_not_confirmed_is_told_also_for_a_topic_that_only_an_output_names():
    alarms = f"arn:aws:sns:{PLACE}:alarms"
    deployment = deployment_of("existing topics", outputs={"AlarmTopicArn": alarms})
    sns = PretendSns(deployment, more=[PENDING])
    found = examine(Topics(deployment=deployment, sns=sns).checks())
    assert symptoms(found) == {Symptom.SUBSCRIPTION_UNCONFIRMED}
    assert alarms in {each.resource for each in found}


def test_an_address_that_has_unsubscribed_is_told_and_an_unconfirmed_one_is_not_missing():
    deployment = deployment_of("e-mail, boundary, older runtime")
    sns = PretendSns(deployment)
    assert examine(Topics(deployment=deployment, sns=sns).checks()) == []
    sns.of_addresses = "PendingConfirmation"
    found = examine(Topics(deployment=deployment, sns=sns).checks())
    assert [each.symptom for each in found] == [Symptom.SUBSCRIPTION_UNCONFIRMED] * 3
    sns.of_addresses = "Deleted"
    found = examine(Topics(deployment=deployment, sns=sns).checks())
    assert [each.symptom for each in found] == [Symptom.SUBSCRIPTION_MISSING] * 3
    assert {each.severity for each in found} == {Severity.WARNING}


def test_the_command_that_subscribes_again_has_all_that_the_subscription_had(deployment):
    sns = PretendSns(deployment)
    sns.paginate = lambda TopicArn: []  # noqa: N803
    found = [
        each
        for each in examine(Topics(deployment=deployment, sns=sns).checks())
        if each.symptom == Symptom.SUBSCRIPTION_MISSING
    ]
    assert len(found) == 2
    assert '"RawMessageDelivery": "true"' in found[0].remedy
    assert "deadLetterTargetArn" in found[0].remedy


# Functions and mappings


def functions(deployment, function=(), mapping=(), concurrency=(), table=(), queue=()):
    """Answers of a healthy deployment, with other members."""

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
        (expected,) = [each for each in deployment.of(MAPPING) if each.physical_id == UUID]
        stream = f"arn:aws:dynamodb:{PLACE}:table/inferences/stream/1"
        return {
            "State": "Enabled",
            "EventSourceArn": expected.properties["EventSourceArn"] or stream,
            "FunctionResponseTypes": expected.properties.get("FunctionResponseTypes", []),
            **dict(mapping),
        }

    def describe_table(TableName):  # noqa: N803
        return {
            "Table": {
                "LatestStreamArn": f"arn:aws:dynamodb:{PLACE}:table/{TableName}/stream/1",
                **dict(table),
            }
        }

    checks = Functions(
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
    return examine(checks)


@pytest.mark.parametrize("variant", VARIANTS)
def test_functions_that_are_as_the_template_says_are_healthy(variant):
    assert functions(deployment_of(variant)) == []


@pytest.mark.parametrize(
    ("answers", "symptom"),
    [
        ({"function": {"State": "Failed", "StateReason": "no"}}, Symptom.FUNCTION_UNFIT),
        ({"function": {"LastUpdateStatus": "Failed"}}, Symptom.FUNCTION_UNFIT),
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
        ({"table": {"LatestStreamArn": "another"}}, Symptom.MAPPING_OF_OLD_STREAM),
    ],
)
def test_what_is_wrong_with_functions_is_found(deployment, answers, symptom):
    assert symptoms(functions(deployment, **answers)) == {symptom}


@pytest.mark.parametrize(
    "answers",
    [
        {"function": {"State": "Pending", "LastUpdateStatus": "InProgress"}},
        {"function": {"State": "Inactive"}},
        {"concurrency": {"ReservedConcurrentExecutions": 3}},
        {"mapping": {"State": "Updating", "LastProcessingResult": "No records processed"}},
    ],
)
def test_what_may_be_so_for_a_while_or_on_purpose_is_no_finding(deployment, answers):
    assert functions(deployment, **answers) == []


def test_a_concurrency_that_the_template_reserves_is_what_is_put_back():
    limited = deployment_of(api_concurrency="50")
    found = functions(limited, concurrency={"ReservedConcurrentExecutions": 0})
    own = [each for each in found if "--reserved-concurrent-executions 50" in each.remedy]
    assert len(own) == 2
    assert all("delete-function-concurrency" in each.remedy for each in found if each not in own)


def test_a_stale_setting_is_told_with_both_values_but_for_the_key_of_cursors(deployment):
    (api,) = deployment.functions_of(Service.STATUS_API)
    stale = {**api.environment, "SHARDS": "8", "CURSOR_KEY": "other"}
    found = functions(deployment, function={"Environment": {"Variables": stale}})
    (of_api,) = [each for each in found if each.resource == api.physical_id]
    assert "SHARDS is 8, the stack has 4; CURSOR_KEY differs" in of_api.problem
    assert STACK_ID not in of_api.problem


# Queues


def queues(deployment, **changed):
    def get_queue_attributes(QueueUrl, AttributeNames):  # noqa: N803
        policies = [
            each.properties["PolicyDocument"]
            for each in deployment.of(QUEUE_POLICY)
            if QueueUrl in each.properties["Queues"]
        ]
        (queue,) = [each for each in deployment.of(QUEUE) if each.physical_id == QueueUrl]
        redrive = queue.properties.get("RedrivePolicy")
        attributes = {
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "Policy": json.dumps(policies[0]),
            **({"RedrivePolicy": json.dumps(redrive)} if redrive else {}),
        }
        return {"Attributes": attributes | changed}

    sqs = SimpleNamespace(get_queue_attributes=get_queue_attributes)
    return examine(Queues(deployment=deployment, sqs=sqs).checks())


@pytest.mark.parametrize("variant", VARIANTS)
def test_queues_that_are_as_the_template_says_are_healthy(variant):
    assert queues(deployment_of(variant)) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_messages_are_told_of_every_queue_but_those_that_a_function_drains(variant):
    deployment = deployment_of(variant)
    found = queues(deployment, ApproximateNumberOfMessagesNotVisible="2")
    drained = {each.properties["EventSourceArn"] for each in deployment.of(MAPPING)}
    left = {each.physical_id for each in deployment.of(QUEUE) if each.arn not in drained}
    assert {each.resource for each in found} == left
    assert symptoms(found) == {Symptom.DEAD_LETTERS}


def test_a_redrive_to_another_queue_is_found(deployment):
    elsewhere = json.dumps({"deadLetterTargetArn": "arn:of:another", "maxReceiveCount": 5})
    assert symptoms(queues(deployment, RedrivePolicy=elsewhere)) == {Symptom.QUEUE_REDRIVE}


# Tables, keys, schedule


def tables(deployment, table=(), expiry=(), backups="ENABLED"):
    def describe_table(TableName):  # noqa: N803
        (expected,) = [each for each in deployment.of(TABLE) if each.physical_id == TableName]
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

    description = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at", **dict(expiry)}
    recovery = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": backups}}
    dynamodb = SimpleNamespace(
        describe_table=describe_table,
        describe_time_to_live=lambda **_: {"TimeToLiveDescription": description},
        describe_continuous_backups=lambda **_: {"ContinuousBackupsDescription": recovery},
    )
    return examine(Tables(deployment=deployment, dynamodb=dynamodb).checks())


def test_what_others_have_in_the_same_stack_needs_none_of_our_properties(deployment):
    """An app may put the construct beside a table without expiry, and a mapping of a cluster."""
    others = (
        Resource(kind=TABLE, physical_id="theirs", arn=None, properties={}),
        Resource(kind=MAPPING, physical_id="theirs", arn=None, properties={"FunctionName": "f"}),
    )
    beside = replace(deployment, resources=(*deployment.resources, *others))
    assert tables(beside) == []
    list(Functions(deployment=beside, lambda_=None, sqs=None, dynamodb=None).checks())


@pytest.mark.parametrize("variant", VARIANTS)
def test_tables_that_are_as_the_template_says_are_healthy(variant):
    assert tables(deployment_of(variant)) == []


@pytest.mark.parametrize(
    ("answers", "symptom"),
    [
        (
            {"table": {"TableStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS"}},
            Symptom.TABLE_STATE,
        ),
        ({"table": {"GlobalSecondaryIndexes": []}}, Symptom.TABLE_INDEX),
        ({"table": {"StreamSpecification": {"StreamEnabled": False}}}, Symptom.TABLE_STREAM),
        ({"table": {"DeletionProtectionEnabled": False}}, Symptom.TABLE_UNPROTECTED),
        ({"expiry": {"TimeToLiveStatus": "DISABLED"}}, Symptom.TABLE_EXPIRY),
        ({"expiry": {"AttributeName": "other"}}, Symptom.TABLE_EXPIRY),
        ({"backups": "DISABLED"}, Symptom.TABLE_BACKUPS),
    ],
)
def test_what_is_wrong_with_tables_is_found(deployment, answers, symptom):
    assert symptoms(tables(deployment, **answers)) == {symptom}


def test_a_table_that_is_not_retained_need_not_be_protected():
    passing = deployment_of(retain="false")
    assert tables(passing, table={"DeletionProtectionEnabled": False}) == []


def surroundings(deployment, key="Enabled"):
    described = []
    checks = Surroundings(
        deployment=deployment,
        scheduler=SimpleNamespace(
            get_schedule=lambda **_: {
                "State": "ENABLED",
                "Target": {"Arn": next(deployment.functions_of(Service.RECONCILE)).arn},
            }
        ),
        events=SimpleNamespace(describe_event_bus=lambda Name: described.append(Name)),  # noqa: N803
        kms=SimpleNamespace(describe_key=lambda **_: {"KeyMetadata": {"KeyState": key}}),
    ).checks()
    return examine(checks), described


def test_each_customer_key_must_be_enabled():
    deployment = deployment_of("customer keys")
    assert surroundings(deployment)[0] == []
    found, _ = surroundings(deployment, key="PendingDeletion")
    assert {each.resource for each in found} == {each.physical_id for each in deployment.of(KEY)}


def test_the_bus_is_asked_for_by_its_name_and_a_foreign_one_by_its_arn():
    assert surroundings(deployment_of("existing bus"))[1] == ["shared"]
    foreign = "arn:aws:events:eu-west-1:210987654321:event-bus/shared"
    assert surroundings(deployment_of("existing bus", event_bus_arn=foreign))[1] == [foreign]
    assert surroundings(deployment_of("no events"))[1] == []


# Endpoints


def endpoints(deployment, *, listed=(), topics=(), asked=(), missing=None, config=None):
    """What is found of endpoints that all have the same topics, of a role with all rights."""
    described = {
        "EndpointArn": f"arn:aws:sagemaker:{PLACE}:endpoint/speech",
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
    decision = {"EvalDecision": "allowed", "MissingContextValues": [missing] if missing else []}
    if missing:
        decision["EvalDecision"] = "implicitDeny"
    iam = SimpleNamespace(simulate_principal_policy=lambda **_: {"EvaluationResults": [decision]})
    checks = NotifiedEndpoints(
        deployment=deployment,
        sagemaker=sagemaker,
        rights=PermissionSimulator(sagemaker, iam),
        examine=Examiner(()),
        asked=asked,
    ).checks()
    return examine(checks)


@pytest.fixture(scope="module")
def wired_deployment(deployment):
    """With the outputs of its topics."""
    topics = [each.physical_id for each in deployment.of(TOPIC_KIND)]
    (completed,), (failed,) = (
        [each for each in topics if name in each] for name in ("Completed", "Failed")
    )
    return deployment_of(outputs={"SuccessTopicArn": completed, "ErrorTopicArn": failed})


def topics_of(deployment):
    success, error = deployment.stack.topics
    return {"SuccessTopic": success, "ErrorTopic": error}


def test_a_stack_without_the_outputs_of_topics_leaves_endpoints_unchecked():
    found = endpoints(deployment_of("submission"))
    assert {each.resource for each in found} == {"endpoint speech", "endpoint OCR-2"}
    assert "has no output SuccessTopicArn" in found[0].problem


def test_an_endpoint_that_was_wired_is_healthy_and_one_of_others_is_ignored(wired_deployment):
    topics = topics_of(wired_deployment)
    assert endpoints(wired_deployment, listed=["speech"], topics=topics) == []
    foreign = {"SuccessTopic": TOPIC + "other", "ErrorTopic": TOPIC + "other"}
    assert endpoints(wired_deployment, listed=["speech"], topics=foreign) == []
    (found,) = endpoints(wired_deployment, asked=("speech",), topics=foreign)
    assert found.symptom == Symptom.ENDPOINT_UNWIRED


def test_an_endpoint_whose_config_is_gone_is_told_only_if_it_is_to_be_ours(wired_deployment):
    def config(**_):
        answer = {
            "Error": {"Code": "ValidationException", "Message": "Could not find it."},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }
        raise ClientError(answer, "DescribeEndpointConfig")

    assert endpoints(wired_deployment, listed=["speech"], config=config) == []
    (found,) = endpoints(wired_deployment, asked=("speech",), config=config)
    assert found.symptom == Symptom.COULD_NOT_CHECK


def test_topics_of_a_former_deployment_are_found_and_those_of_a_stack_with_a_longer_name_are_not(
    wired_deployment,
):
    topics = topics_of(wired_deployment)
    former = {name: arn.rpartition("-")[0] + "-FORMER" for name, arn in topics.items()}
    found = endpoints(wired_deployment, listed=["speech"], topics=former)
    assert [each.symptom for each in found] == [Symptom.TOPIC_FOREIGN] * 2
    other = {name: arn.replace(STACK, f"{STACK}-staging") for name, arn in topics.items()}
    assert endpoints(wired_deployment, listed=["speech"], topics=other) == []


def test_a_right_that_depends_on_a_condition_is_not_known(wired_deployment):
    found = endpoints(
        wired_deployment,
        listed=["speech"],
        topics=topics_of(wired_deployment),
        missing="aws:SourceVpc",
    )
    assert symptoms(found) == {Symptom.COULD_NOT_CHECK}
    assert "aws:SourceVpc" in found[0].problem


# Records


@pytest.fixture
def losses(table_name, deployment):
    """What is told of items with a status and a time, of a sweep every 5 minutes, 10 late."""
    dynamodb = boto3.client("dynamodb")

    def losses(*items, since=NOW - timedelta(days=1), recorded_at=NOW - timedelta(days=1)):
        for number, (status, moment) in enumerate(items):
            inference_id = f"id-{number}"
            dynamodb.put_item(
                TableName=table_name,
                Item={
                    Attribute.INFERENCE_ID: {"S": inference_id},
                    Attribute.ENDPOINT_NAME: {"S": "speech"},
                    Attribute.RECORDED_AT: {"S": timestamp(recorded_at)},
                    Attribute.STATUS_SHARD: {"S": f"{number % 4}#{status}"},
                    Attribute.STATUS_SORT: {"S": f"{timestamp(moment)}#{inference_id}#speech"},
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
            return examine(checks)

    return losses


def test_records_that_were_lost_in_a_day_are_counted_and_some_are_named(losses):
    hours = timedelta(hours=1)
    (found,) = losses(
        *[("Lost", NOW - number * hours) for number in (1, 2, 3, 4, 5, 6, 25)],
        ("Failed", NOW - hours),
    )
    assert found.symptom == Symptom.LOST_RECORDS
    assert found.problem.startswith("6 records became Lost since 2026-01-24T12:00:00.000Z: id-0,")
    assert found.problem.endswith("id-4, ...")


def test_records_that_were_lost_before_a_time_are_not_told(losses):
    assert losses(("Lost", NOW - timedelta(hours=3)), since=NOW - timedelta(hours=2)) == []


def test_what_the_sweep_may_still_end_is_no_symptom(losses):
    assert losses(("InProgress", NOW - timedelta(minutes=24))) == []


def test_what_the_sweep_should_have_ended_is_one(losses):
    (found,) = losses(("InProgress", NOW - timedelta(minutes=26)))
    assert (found.symptom, found.severity) == (Symptom.OVERDUE_RECORDS, Severity.ERROR)
    assert "id-0" in found.problem
    assert "Reconcile" in found.remedy


def test_what_was_registered_long_after_its_deadline_is_left_to_the_next_sweeps(losses):
    registered = NOW - timedelta(minutes=5)
    assert losses(("InProgress", NOW - timedelta(days=300)), recorded_at=registered) == []


# The document


def test_every_symptom_is_documented():
    document = DOCUMENT.read_text()
    section = document.partition("## What it looks at")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.M)
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(cells))) == sorted(Symptom)


def test_accounts_in_the_document_are_examples():
    document = DOCUMENT.read_text()
    assert set(re.findall(r"\d{12}", document)) <= {ACCOUNT}


# What is shown


def test_a_finding_is_a_block_on_a_terminal_and_steers_nothing(monkeypatch, capsys):
    finding = Finding(
        severity=Severity.ERROR,
        symptom=Symptom.QUEUE_POLICY,
        resource="queue",
        problem="It has \x1b[2J[bold] in it.",
        effect="Bad.",
        remedy="Run: it",
    )
    for module in ("doctor_output", "terminal"):
        monkeypatch.setattr(f"inference_results.cli.{module}.is_terminal", lambda stream: True)
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(typer.Exit) as end:
        show_examination("Results", Examination(findings=(finding,), checks=7), json=False)
    assert end.value.exit_code == 1
    shown = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert shown.splitlines() == [
        "error  queue-policy  queue",
        r"  It has \x1b[2J[bold] in it.",
        "  Bad.",
        "  Run: it",
    ]
