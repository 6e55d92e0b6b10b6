"""How wide the permissions are, under every documented setting."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import resources
from tests.infra.test_stack import actions, named
from tests.synthesis import TOPIC, VARIANTS, synthesised

POLICY, QUEUE_POLICY, KEY = "AWS::IAM::Policy", "AWS::SQS::QueuePolicy", "AWS::KMS::Key"
BUCKET = "arn:<AWS::Partition>:s3:::"

THAT_KEY = "In the policy of a key `*` is that key, for the service that is named, on a condition."
BELOW_A_PREFIX = "The keys of outputs are not known beforehand; the prefix is an allowed one."
ACCEPTED = {
    (QUEUE_POLICY, "Deny", "sqs:*", ""): "Refused is whatever comes without TLS.",
    (
        KEY,
        "Allow",
        "kms:*",
        "*",
    ): "In the policy of a key `*` is that key. Who may manage and use it is up to the account's "
    "policies: without this nobody could, ever again.",
    (KEY, "Allow", "kms:Decrypt kms:GenerateDataKey", "*"): THAT_KEY,
    (KEY, "Allow", "kms:Decrypt kms:DescribeKey kms:GenerateDataKey", "*"): THAT_KEY,
    **{
        (POLICY, "Allow", reading, f"{BUCKET}customer-outputs/{prefix}/*"): BELOW_A_PREFIX
        for reading in ("s3:GetObject", "s3:GetObject s3:GetObjectVersion")
        for prefix in ("async", "failures")
    },
    **{
        (POLICY, "Allow", "s3:PutObject", f"{BUCKET}customer-outputs/{prefix}/speech/*"): (
            "The execution role's: SageMaker chooses the keys; the prefix is this endpoint's alone."
        )
        for prefix in ("async", "failures")
    },
    (POLICY, "Allow", "s3:PutObject", f"{BUCKET}customer-inputs/async/*"): (
        "Each input has a key of its own; the prefix is theirs alone."
    ),
    (POLICY, "Allow", "xray:PutTelemetryRecords xray:PutTraceSegments", "*"): (
        "X-Ray has no resources that could be named; only with the setting `tracing`."
    ),
}
"""What has a `*` in an action or a resource, and why."""


LESS = {"no api", "no alarms", "no events", "one existing topic"}
"""These leave something out of what the others have."""
EXISTING = {"existing topics", "existing bus"}


def everything(*without: str) -> dict[str, Any]:
    """The settings of all variants at once."""
    chosen = {name: each for name, each in VARIANTS.items() if name not in {*LESS, *without}}
    return {setting: value for each in chosen.values() for setting, value in each.items()}


@pytest.fixture(scope="module")
def templates(template):
    """With no setting and with all of them, by that and the name of the stack."""
    settings = {"all": everything(*EXISTING), "all, existing": everything()}
    return {("none", "InferenceResults"): template} | {
        (name, stack): each
        for name, chosen in settings.items()
        for stack, each in synthesised("default", **chosen).items()
    }


def policies(described: Any) -> Iterator[list[dict[str, Any]]]:
    """The statements of every policy in the properties of a resource, wherever it is."""
    if isinstance(described, dict):
        if "Statement" in described:
            yield described["Statement"]
        for each in described.values():
            yield from policies(each)
    elif isinstance(described, list):
        for each in described:
            yield from policies(each)


def text(value: Any) -> str:
    """Of a resource in a policy: joined, with references in angle brackets."""
    match value:
        case {"Fn::Join": [between, parts]}:
            return between.join(text(part) for part in parts)
        case {"Ref": name}:
            return f"<{name}>"
        case str():
            return value
    return f"<{json.dumps(value)}>"


def wide(template):
    """What a template grants or refuses with a `*`, in the form of ACCEPTED."""
    found = set()
    for resource in template["Resources"].values():
        for statement in (each for policy in policies(resource) for each in policy):
            named_resources = statement.get("Resource", [])
            if not isinstance(named_resources, list):
                named_resources = [named_resources]
            stars = [each for each in map(text, named_resources) if "*" in each]
            done = " ".join(sorted(actions(statement)))
            if "*" in done and not stars:
                stars = [""]
            found |= {(resource["Type"], statement["Effect"], done, each) for each in stars}
    return found


def test_nothing_wide_is_granted_without_a_reason(templates):
    unexplained = {
        " ".join((*place, *each))
        for place, template in templates.items()
        for each in wide(template)
        if each not in ACCEPTED
    }
    assert not unexplained, "\n".join(sorted(unexplained))


def test_no_reason_outlives_what_it_explains(templates):
    found = set().union(*(wide(template) for template in templates.values()))
    assert set(ACCEPTED) - found == set()


def test_nothing_is_granted_by_exclusion_or_by_a_policy_of_aws(templates):
    """`NotAction` and `NotResource` grant what nobody listed; AWS's own policies grow."""
    for place, template in templates.items():
        for name, resource in template["Resources"].items():
            keys = {key for policy in policies(resource) for each in policy for key in each}
            assert not keys & {"NotAction", "NotResource", "NotPrincipal"}, (place, name)
            assert "ManagedPolicyArns" not in resource.get("Properties", {}), (place, name)


def test_a_role_is_assumed_by_the_service_that_runs_it_and_by_nobody_else(templates):
    for place, template in templates.items():
        for name, role in resources(template, "AWS::IAM::Role").items():
            (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            runs = service("scheduler" if "Caller" in name else "lambda")
            assert statement["Principal"] == runs, (place, name)


def test_a_function_may_be_invoked_by_the_api_of_the_stack_and_by_no_other(templates):
    for place, template in templates.items():
        for name, permission in resources(template, "AWS::Lambda::Permission").items():
            given = permission["Properties"]
            assert given["Principal"] == "apigateway.amazonaws.com", (place, name)
            (api,) = resources(template, "AWS::ApiGatewayV2::Api")
            assert f":<{api}>/" in text(given.get("SourceArn", "")), (place, name)


READS = {"kms:Decrypt", "kms:DescribeKey"}
WRITES = {
    *READS,
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
PASSES_MESSAGES = {"kms:Decrypt", "kms:GenerateDataKey"}
OUTPUT_KEY = "arn:aws:kms:eu-west-1:123456789012:key/0f3a-11"
INPUT_KEY = "arn:aws:kms:eu-west-1:123456789012:key/0f3a-12"
KEYS = ("KeysTopics", "KeysQueues", "KeysTable", "KeysAlarms")
ACCOUNT = "<AWS::AccountId>"
EVENTS = f"arn:<AWS::Partition>:events:<AWS::Region>:{ACCOUNT}:"
ROOT = f"arn:<AWS::Partition>:iam::{ACCOUNT}:root"


def service(name):
    return {"Service": f"{name}.amazonaws.com"}


RECORDS = {"Queues": PASSES_MESSAGES, "Table": WRITES, OUTPUT_KEY: {"kms:Decrypt"}}
KEYS_OF_ROLES = {
    "CompletedRecorder": RECORDS,
    "FailedRecorder": RECORDS,
    "StatusApi": {"Table": READS, OUTPUT_KEY: {"kms:Decrypt"}},
    "Submitter": {"Table": WRITES, INPUT_KEY: {"kms:GenerateDataKey"}},
    "Reconciler": {"Table": WRITES, OUTPUT_KEY: {"kms:Decrypt"}},
    "Summarizer": {"Queues": PASSES_MESSAGES, "Table": WRITES},
    "EventPublisher": {"Queues": PASSES_MESSAGES, "Table": READS},
    "MayPublish": {"Topics": PASSES_MESSAGES},
}
"""What each may do with which key, by the part that the policy is of."""


@pytest.fixture(scope="module")
def all_settings(templates):
    return templates["all", "InferenceResults"]


def part_of(name, parts):
    (found,) = [each for each in parts if name.startswith(f"Results{each}")]
    return found


def test_each_role_may_do_with_each_key_what_it_must_and_nothing_else(all_settings):
    kinds = {
        text({"Fn::GetAtt": [name, "Arn"]}): part_of(name, KEYS).removeprefix("Keys")
        for name in resources(all_settings, KEY)
    }
    found = {}
    for name, policy in resources(all_settings, POLICY).items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            done = {each for each in actions(statement) if each.startswith("kms:")}
            if done:
                assert statement["Effect"] == "Allow"
                key = text(statement["Resource"])
                of_role = found.setdefault(part_of(name, KEYS_OF_ROLES), {})
                of_role.setdefault(kinds.get(key, key), set()).update(done)
    assert found == KEYS_OF_ROLES


def admitted(template, kind):
    """The services that a key's own policy admits: what they may do, and on which condition."""
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
        for operator, asked in statement.get("Condition", {}).items()
        for key, value in asked.items()
    }


def from_topic(arn):
    return (service("sns"), PASSES_MESSAGES, {("ArnEquals", "aws:SourceArn"): arn})


FROM_ACCOUNT = {("StringEquals", "aws:SourceAccount"): ACCOUNT}


def test_the_key_of_the_queues_admits_the_topics_and_the_bus_of_the_stack(all_settings):
    """Without SNS every delivery fails, and SNS does not try again."""
    topics = resources(all_settings, "AWS::SNS::Topic")
    (bus,) = resources(all_settings, "AWS::Events::EventBus").values()
    bus_arn = f"{EVENTS}event-bus/{bus['Properties']['Name']}"
    from_bus = FROM_ACCOUNT | {
        ("StringEquals", "aws:SourceArn"): bus_arn,
        ("StringEquals", "kms:EncryptionContext:aws:events:event-bus:arn"): bus_arn,
    }
    assert admitted(all_settings, "KeysQueues") == [
        (service("events"), READS | PASSES_MESSAGES, from_bus),
        *(from_topic(f"<{named(topics, part)}>") for part in ("CompletedTopic", "FailedTopic")),
    ]


def test_the_key_of_the_queues_admits_existing_topics_and_nothing_of_an_existing_bus(templates):
    template = templates["all, existing", "InferenceResults"]
    assert admitted(template, "KeysQueues") == [
        from_topic(f"{TOPIC}{name}") for name in ("done", "broken")
    ]


def test_the_keys_of_topics_and_tables_admit_no_service_and_that_of_alarms_cloudwatch(
    all_settings,
):
    """DynamoDB uses a key in its caller's name, and so does SNS in that of a publisher."""
    assert admitted(all_settings, "KeysTopics") == admitted(all_settings, "KeysTable") == []
    assert admitted(all_settings, "KeysAlarms") == [
        (service("cloudwatch"), PASSES_MESSAGES, FROM_ACCOUNT)
    ]


def test_everything_that_can_have_a_customer_key_has_one(all_settings):
    """No log group, schedule or variable of a function does: docs/security.md says so."""
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
