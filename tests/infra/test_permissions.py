"""How broad the permissions are, with every documented setting."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloudformation import actions, named, resources
from tests.support.synthesis import TOPIC, VARIANTS, synthesised

POLICY, QUEUE_POLICY, KEY = "AWS::IAM::Policy", "AWS::SQS::QueuePolicy", "AWS::KMS::Key"
BUCKET = "arn:<AWS::Partition>:s3:::"

THIS_KEY = "In a key policy, `*` is this key; only the named service is allowed, on a condition."
BELOW_A_PREFIX = "SageMaker chooses the keys of outputs; the prefix is one of output_prefixes."
ACCEPTED = {
    (QUEUE_POLICY, "Deny", "sqs:*", ""): "Denies all requests without TLS.",
    (
        KEY,
        "Allow",
        "kms:*",
        "*",
    ): "In a key policy, `*` is this key. The account's policies decide who can manage and use it: "
    "without this statement, nobody could.",
    (KEY, "Allow", "kms:Decrypt kms:GenerateDataKey", "*"): THIS_KEY,
    (KEY, "Allow", "kms:Decrypt kms:DescribeKey kms:GenerateDataKey", "*"): THIS_KEY,
    **{
        (POLICY, "Allow", reading, f"{BUCKET}customer-outputs/{prefix}/*"): BELOW_A_PREFIX
        for reading in ("s3:GetObject", "s3:GetObject s3:GetObjectVersion")
        for prefix in ("async", "failures")
    },
    **{
        (POLICY, "Allow", "s3:PutObject", f"{BUCKET}customer-outputs/{prefix}/speech/*"): (
            "The execution role's: SageMaker chooses the keys; the prefix is only this endpoint's."
        )
        for prefix in ("async", "failures")
    },
    (POLICY, "Allow", "s3:PutObject", f"{BUCKET}customer-inputs/async/*"): (
        "Each input has a unique key; the prefix holds only inputs."
    ),
    (POLICY, "Allow", "xray:PutTelemetryRecords xray:PutTraceSegments", "*"): (
        "X-Ray has no resource-level permissions for traces. Only with the setting `tracing`."
    ),
}
"""The wildcards in actions and resources, each with its reason."""


REDUCED = {"no api", "no alarms", "no events", "one existing topic"}
"""Variants that remove parts of the service."""
EXISTING = {"existing topics", "existing bus"}


def combined_settings(*without: str) -> dict[str, Any]:
    """Combine the settings of all variants except `without`."""
    chosen = {name: each for name, each in VARIANTS.items() if name not in {*REDUCED, *without}}
    return {setting: value for each in chosen.values() for setting, value in each.items()}


@pytest.fixture(scope="module")
def templates(template):
    """Templates with no and with all settings, by (settings, stack name)."""
    settings = {"all": combined_settings(*EXISTING), "all, existing": combined_settings()}
    return {("none", "InferenceResults"): template} | {
        (name, stack): each
        for name, chosen in settings.items()
        for stack, each in synthesised("default", **chosen).items()
    }


def policies(value: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the statements of every policy that a resource contains."""
    if isinstance(value, dict):
        if "Statement" in value:
            yield value["Statement"]
        for each in value.values():
            yield from policies(each)
    elif isinstance(value, list):
        for each in value:
            yield from policies(each)


def text(value: Any) -> str:
    """Format a value of a policy as text, with references in angle brackets."""
    match value:
        case {"Fn::Join": [between, parts]}:
            return between.join(text(part) for part in parts)
        case {"Ref": name}:
            return f"<{name}>"
        case str():
            return value
    return f"<{json.dumps(value)}>"


def wildcards(template):
    """Return a template's wildcards in the form of ACCEPTED."""
    found = set()
    for resource in template["Resources"].values():
        for statement in (each for policy in policies(resource) for each in policy):
            named_resources = statement.get("Resource", [])
            if not isinstance(named_resources, list):
                named_resources = [named_resources]
            stars = [each for each in map(text, named_resources) if "*" in each]
            joined = " ".join(sorted(actions(statement)))
            if "*" in joined and not stars:
                stars = [""]
            found |= {(resource["Type"], statement["Effect"], joined, each) for each in stars}
    return found


def test_every_wildcard_in_a_policy_has_a_reason(templates):
    unexplained = {
        " ".join((*stack, *each))
        for stack, template in templates.items()
        for each in wildcards(template)
        if each not in ACCEPTED
    }
    assert not unexplained, "\n".join(sorted(unexplained))


def test_every_reason_matches_a_wildcard(templates):
    found = set().union(*(wildcards(template) for template in templates.values()))
    assert set(ACCEPTED) - found == set()


def test_no_policy_uses_exclusions_or_aws_managed_policies(templates):
    """`NotAction` and `NotResource` allow unlisted actions; AWS managed policies grow over time."""
    for stack, template in templates.items():
        for name, resource in template["Resources"].items():
            keys = {key for policy in policies(resource) for each in policy for key in each}
            assert not keys & {"NotAction", "NotResource", "NotPrincipal"}, (stack, name)
            assert "ManagedPolicyArns" not in resource.get("Properties", {}), (stack, name)


def test_only_the_service_that_runs_a_role_can_assume_it(templates):
    for stack, template in templates.items():
        for name, role in resources(template, "AWS::IAM::Role").items():
            (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            runs = service("scheduler" if "ScheduleRole" in name else "lambda")
            assert statement["Principal"] == runs, (stack, name)


def test_only_the_api_of_the_stack_can_invoke_a_function(templates):
    for stack, template in templates.items():
        for name, permission in resources(template, "AWS::Lambda::Permission").items():
            given = permission["Properties"]
            assert given["Principal"] == "apigateway.amazonaws.com", (stack, name)
            (api,) = resources(template, "AWS::ApiGatewayV2::Api")
            assert f":<{api}>/" in text(given.get("SourceArn", "")), (stack, name)


READS = {"kms:Decrypt", "kms:DescribeKey"}
WRITES = {
    *READS,
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
ENCRYPTS_MESSAGES = {"kms:Decrypt", "kms:GenerateDataKey"}
OUTPUT_KEY = "arn:aws:kms:eu-west-1:123456789012:key/0f3a-11"
INPUT_KEY = "arn:aws:kms:eu-west-1:123456789012:key/0f3a-12"
KEYS = ("KeysTopics", "KeysQueues", "KeysTable", "KeysAlarms")
ACCOUNT = "<AWS::AccountId>"
EVENTS = f"arn:<AWS::Partition>:events:<AWS::Region>:{ACCOUNT}:"
ROOT = f"arn:<AWS::Partition>:iam::{ACCOUNT}:root"


def service(name):
    return {"Service": f"{name}.amazonaws.com"}


RECORDS = {"Queues": ENCRYPTS_MESSAGES, "Table": WRITES, OUTPUT_KEY: {"kms:Decrypt"}}
KEY_PERMISSIONS = {
    "CompletedRecorder": RECORDS,
    "FailedRecorder": RECORDS,
    "StatusApi": {"Table": READS, OUTPUT_KEY: {"kms:Decrypt"}},
    "Submitter": {"Table": WRITES, INPUT_KEY: {"kms:GenerateDataKey"}},
    "Reconciler": {"Table": WRITES, OUTPUT_KEY: {"kms:Decrypt"}},
    "Summarizer": {"Queues": ENCRYPTS_MESSAGES, "Table": WRITES},
    "EventPublisher": {"Queues": ENCRYPTS_MESSAGES, "Table": READS},
    "PublishPolicy": {"Topics": ENCRYPTS_MESSAGES},
}
"""The allowed actions on each key, by the part that owns the policy."""


@pytest.fixture(scope="module")
def all_settings(templates):
    return templates["all", "InferenceResults"]


def part_of(name, parts):
    (found,) = [each for each in parts if name.startswith(f"Results{each}")]
    return found


def test_each_role_has_only_the_key_permissions_that_it_needs(all_settings):
    kinds = {
        text({"Fn::GetAtt": [name, "Arn"]}): part_of(name, KEYS).removeprefix("Keys")
        for name in resources(all_settings, KEY)
    }
    found = {}
    for name, policy in resources(all_settings, POLICY).items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            key_actions = {each for each in actions(statement) if each.startswith("kms:")}
            if key_actions:
                assert statement["Effect"] == "Allow"
                key = text(statement["Resource"])
                of_role = found.setdefault(part_of(name, KEY_PERMISSIONS), {})
                of_role.setdefault(kinds.get(key, key), set()).update(key_actions)
    assert found == KEY_PERMISSIONS


def allowed_services(template, kind):
    """Return the services in a key's policy, with their actions and conditions."""
    found = resources(template, KEY)
    policy = found[named(found, kind)]["Properties"]["KeyPolicy"]["Statement"]
    account, *services = policy
    assert text(account["Principal"]["AWS"]) == ROOT
    return [
        (each["Principal"], set(actions(each)), conditions(each))
        for each in services
        if each["Effect"] == "Allow"
    ]


def conditions(statement):
    return {
        (operator, key): text(value)
        for operator, keys in statement.get("Condition", {}).items()
        for key, value in keys.items()
    }


def from_topic(arn):
    return (service("sns"), ENCRYPTS_MESSAGES, {("ArnEquals", "aws:SourceArn"): arn})


FROM_ACCOUNT = {("StringEquals", "aws:SourceAccount"): ACCOUNT}


def test_the_queue_key_allows_the_topics_and_the_bus_of_the_stack(all_settings):
    """Without permission for SNS, every delivery fails without a retry."""
    topics = resources(all_settings, "AWS::SNS::Topic")
    (bus,) = resources(all_settings, "AWS::Events::EventBus").values()
    bus_arn = f"{EVENTS}event-bus/{bus['Properties']['Name']}"
    from_bus = FROM_ACCOUNT | {
        ("StringEquals", "aws:SourceArn"): bus_arn,
        ("StringEquals", "kms:EncryptionContext:aws:events:event-bus:arn"): bus_arn,
    }
    assert allowed_services(all_settings, "KeysQueues") == [
        (service("events"), READS | ENCRYPTS_MESSAGES, from_bus),
        *(from_topic(f"<{named(topics, part)}>") for part in ("CompletedTopic", "FailedTopic")),
    ]


def test_the_queue_key_allows_existing_topics_but_no_existing_bus(templates):
    template = templates["all, existing", "InferenceResults"]
    assert allowed_services(template, "KeysQueues") == [
        from_topic(f"{TOPIC}{name}") for name in ("done", "broken")
    ]


def test_the_topic_and_table_keys_allow_no_service_and_the_alarm_key_only_cloudwatch(
    all_settings,
):
    """DynamoDB and SNS use these keys with the permissions of their caller."""
    assert (
        allowed_services(all_settings, "KeysTopics")
        == allowed_services(all_settings, "KeysTable")
        == []
    )
    assert allowed_services(all_settings, "KeysAlarms") == [
        (service("cloudwatch"), ENCRYPTS_MESSAGES, FROM_ACCOUNT)
    ]


def test_every_resource_that_supports_a_customer_key_has_one(all_settings):
    """Log groups, schedules and function variables use AWS keys: see docs/security.md."""
    encrypted = {
        "AWS::SNS::Topic": "KmsMasterKeyId",
        "AWS::SQS::Queue": "KmsMasterKeyId",
        "AWS::DynamoDB::GlobalTable": "SSESpecification",
        "AWS::Events::EventBus": "KmsKeyIdentifier",
    }
    for kind, member in encrypted.items():
        for name, each in resources(all_settings, kind).items():
            assert member in each["Properties"], name
    elsewhere = [
        name
        for name, each in all_settings["Resources"].items()
        if each["Type"] not in {*encrypted, KEY, POLICY}
        if "Kms" in json.dumps(each)
    ]
    assert elsewhere == []
