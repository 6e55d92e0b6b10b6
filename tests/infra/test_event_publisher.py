"""The event bus and publish_events in the template, and their settings."""

import json

import pytest

from inference_results.contract import StackOutput, Variable
from infra.settings import Settings, SettingsError
from tests.support.cloudformation import actions, named, properties, resources, statements
from tests.support.synthesis import PREFIXES, synthesised

SHARED_BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/shared"


@pytest.fixture
def mapping(template):
    return properties(template, "AWS::Lambda::EventSourceMapping", "EventPublisher")


@pytest.fixture(scope="module")
def existing_bus():
    return synthesised("existing bus")["InferenceResults"]


@pytest.fixture(scope="module")
def customer_keys():
    return synthesised("customer keys")["InferenceResults"]


def environment(template):
    return properties(template, "AWS::Lambda::Function", "EventPublisher")["Environment"][
        "Variables"
    ]


def own_bus(template):
    return {"Fn::GetAtt": [named(resources(template, "AWS::Events::EventBus"), "Bus"), "Arn"]}


def test_publish_events_reads_the_stream_from_its_beginning(template, mapping):
    table = named(resources(template, "AWS::DynamoDB::GlobalTable"), "InferencesTable")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [table, "StreamArn"]}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_the_stream_has_exactly_two_readers(template):
    """DynamoDB supports two readers of a shard; a third would throttle all of them."""
    mappings = resources(template, "AWS::Lambda::EventSourceMapping").values()
    sources = [json.dumps(each["Properties"]["EventSourceArn"]) for each in mappings]
    assert len([each for each in sources if "StreamArn" in each]) == 2


def test_a_failed_batch_is_halved_and_only_failed_items_are_retried(mapping):
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True


def test_failed_batches_become_dead_letters_while_the_stream_still_has_them(template, mapping):
    assert mapping["MaximumRecordAgeInSeconds"] == 12 * 3600
    assert mapping.get("MaximumRetryAttempts", -1) == -1
    queue = named(resources(template, "AWS::SQS::Queue"), "EventPublisherDeadLetterQueue")
    destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": [queue, "Arn"]}
    url = template["Outputs"][StackOutput.EVENT_DEAD_LETTER_QUEUE_URL]["Value"]
    assert url == {"Ref": queue}


def test_there_is_no_batching_window(mapping):
    assert "MaximumBatchingWindowInSeconds" not in mapping
    assert mapping["BatchSize"] == 100


def test_deletions_are_filtered_out(mapping):
    (event_filter,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(event_filter["Pattern"]) == {"eventName": ["INSERT", "MODIFY"]}


def test_publish_events_can_only_read_the_stream_and_put_events(template):
    policy = statements(template, "AWS::IAM::Policy", "EventPublisher")
    assert sorted(action for each in policy for action in actions(each)) == [
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "events:PutEvents",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    ]


def test_events_can_be_put_only_on_the_bus_of_the_stack(template):
    policy = statements(template, "AWS::IAM::Policy", "EventPublisher")
    (putting,) = [each for each in policy if "events:PutEvents" in actions(each)]
    assert putting["Resource"] == own_bus(template)
    assert environment(template)[Variable.EVENT_BUS_ARN] == own_bus(template)
    assert template["Outputs"][StackOutput.EVENT_BUS_ARN]["Value"] == own_bus(template)


def test_an_existing_bus_is_used_instead_of_a_new_one(existing_bus):
    assert not resources(existing_bus, "AWS::Events::EventBus")
    policy = statements(existing_bus, "AWS::IAM::Policy", "EventPublisher")
    (putting,) = [each for each in policy if "events:PutEvents" in actions(each)]
    assert putting["Resource"] == SHARED_BUS
    assert environment(existing_bus)[Variable.EVENT_BUS_ARN] == SHARED_BUS
    assert existing_bus["Outputs"][StackOutput.EVENT_BUS_ARN]["Value"] == SHARED_BUS


def test_custom_attributes_are_published_only_if_the_setting_says_so(template, existing_bus):
    name = Variable.PUBLISH_CUSTOM_ATTRIBUTES
    assert (environment(template)[name], environment(existing_bus)[name]) == ("false", "true")


def test_publish_events_false_removes_the_bus_and_the_function(template):
    without_events = synthesised("no events")["InferenceResults"]
    assert not [name for name in without_events["Resources"] if "EventPublisher" in name]
    assert not resources(without_events, "AWS::Events::EventBus")
    assert set(template["Outputs"]) - set(without_events["Outputs"]) == {
        StackOutput.EVENT_BUS_ARN,
        StackOutput.EVENT_DEAD_LETTER_QUEUE_URL,
        StackOutput.PUBLISH_EVENTS_FUNCTION_NAME,
    }


def test_the_key_of_the_queues_encrypts_the_bus(customer_keys):
    queues = named(resources(customer_keys, "AWS::KMS::Key"), "KeysQueues")
    (bus,) = resources(customer_keys, "AWS::Events::EventBus").values()
    assert bus["Properties"]["KmsKeyIdentifier"] == {"Fn::GetAtt": [queues, "Arn"]}


@pytest.mark.parametrize("arn", ["shared", "arn:aws:sns:eu-west-1:123456789012:shared"])
def test_event_bus_arn_must_be_an_arn(arn):
    with pytest.raises(SettingsError, match="setting event_bus_arn: expected the ARN of an event"):
        Settings.from_context({"output_prefixes": PREFIXES, "event_bus_arn": arn})


def test_event_bus_arn_requires_publish_events():
    context = {"output_prefixes": PREFIXES, "event_bus_arn": SHARED_BUS, "publish_events": "false"}
    with pytest.raises(SettingsError, match="event_bus_arn: requires publish_events=true"):
        Settings.from_context(context)


@pytest.fixture(scope="module")
def state_machines():
    return synthesised("state machines")["InferenceResults"]


MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:"


def test_only_tasks_of_the_named_state_machines_can_be_completed(state_machines):
    policy = statements(state_machines, "AWS::IAM::Policy", "EventPublisher")
    (completing,) = [each for each in policy if "states:SendTaskSuccess" in actions(each)]
    assert set(actions(completing)) == {"states:SendTaskFailure", "states:SendTaskSuccess"}
    assert completing["Resource"] == [f"{MACHINE}nightly", f"{MACHINE}on-demand"]


def test_task_tokens_are_accepted_only_if_state_machines_are_named(template, state_machines):
    for each, accepted in ((template, "false"), (state_machines, "true")):
        submitter = properties(each, "AWS::Lambda::Function", "Submitter")
        assert submitter["Environment"]["Variables"][Variable.COMPLETES_TASKS] == accepted


@pytest.mark.parametrize(
    "arn",
    [
        "nightly",
        f"{MACHINE}*",
        f"{MACHINE}nightly:3",
        MACHINE,
        f"{MACHINE}a b",
        f"{MACHINE}{'a' * 81}",
    ],
)
def test_a_state_machine_must_be_named_by_its_whole_arn(arn):
    with pytest.raises(SettingsError, match=r"state_machine_arns\.0: expected the ARN of a state"):
        Settings.from_context({"output_prefixes": PREFIXES, "state_machine_arns": arn})


def test_state_machine_arns_require_publish_events():
    context = {"state_machine_arns": f"{MACHINE}nightly", "publish_events": "false"}
    with pytest.raises(SettingsError, match="state_machine_arns: requires publish_events=true"):
        Settings.from_context({"output_prefixes": PREFIXES, **context})
