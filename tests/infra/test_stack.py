"""Queues, topics, tables, functions, the API and keys in the main stack's template."""

import json

import pytest

from inference_results.contract import SUBMISSION_ROUTES, Attribute, Index, Route, StackOutput
from tests.support.cloudformation import actions, keys, named, properties, resources, statements
from tests.support.synthesis import EXECUTION_ROLE, TOPIC, synthesised

FOURTEEN_DAYS = 14 * 24 * 3600


@pytest.fixture(scope="module")
def existing_topics():
    return synthesised("existing topics")["InferenceResults"]


@pytest.fixture(scope="module")
def one_topic():
    return synthesised("one existing topic")["InferenceResults"]


@pytest.fixture(scope="module")
def customer_keys():
    return synthesised("customer keys")["InferenceResults"]


@pytest.fixture(scope="module")
def not_retained():
    return synthesised("email, boundary, older runtime")["InferenceResults"]


CHANNELS = ("Completed", "Failed")


def result_topics(template):
    found = resources(template, "AWS::SNS::Topic").items()
    return {name: each for name, each in found if "Alarms" not in name}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_queue_has_retention_visibility_and_five_receives(template, channel):
    queue = properties(template, "AWS::SQS::Queue", f"{channel}Queue")
    assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS
    function = properties(template, "AWS::Lambda::Function", f"{channel}Recorder")
    assert queue["VisibilityTimeout"] == 6 * function["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5


def test_the_batching_window_adds_to_the_visibility_timeout():
    large_batches = {"batch_size": "1000", "batch_window_seconds": "20"}
    template = synthesised("default", **large_batches)["InferenceResults"]
    queue = properties(template, "AWS::SQS::Queue", "CompletedQueue")
    assert queue["VisibilityTimeout"] == 6 * 30 + 20


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"maximum_concurrency": "2"},
        {"maximum_concurrency": "2", "batch_size": "1"},
        {"maximum_concurrency": "2", "batch_size": "1000", "batch_window_seconds": "300"},
    ],
)
def test_a_backlog_of_ten_thousand_messages_is_drained_before_it_expires(settings):
    """Even if each call takes its whole timeout and processes one message for each worker."""
    template = synthesised("default", **settings)["InferenceResults"]
    queue = properties(template, "AWS::SQS::Queue", "CompletedQueue")
    function = properties(template, "AWS::Lambda::Function", "CompletedRecorder")
    mapping = properties(template, "AWS::Lambda::EventSourceMapping", "CompletedRecorder")
    workers = int(function["Environment"]["Variables"]["WORKERS"])
    concurrent_messages = (
        min(mapping["BatchSize"], workers) * mapping["ScalingConfig"]["MaximumConcurrency"]
    )
    call_seconds = function["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]
    assert 10_000 / concurrent_messages * call_seconds < queue["MessageRetentionPeriod"] / 2


@pytest.mark.parametrize("channel", CHANNELS)
def test_waiting_messages_are_not_received_and_use_up_no_attempt(template, channel):
    """With a maximum concurrency on the mapping, Lambda receives only messages that it can process.

    With reserved concurrency on the function, it would receive messages and then be throttled.
    """
    function = properties(template, "AWS::Lambda::Function", f"{channel}Recorder")
    assert "ReservedConcurrentExecutions" not in function
    mapping = properties(template, "AWS::Lambda::EventSourceMapping", f"{channel}Recorder")
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2


THROTTLED_SECONDS = 60


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_message_survives_twelve_minutes_of_throttling(template, channel):
    queue = properties(template, "AWS::SQS::Queue", f"{channel}Queue")
    receives, seconds_between = (
        queue["RedrivePolicy"]["maxReceiveCount"],
        queue["VisibilityTimeout"],
    )
    assert seconds_between > THROTTLED_SECONDS
    assert (receives - 1) * seconds_between == 12 * 60


def test_every_message_of_a_topic_fits_its_queue_and_the_unprocessable_queue(template):
    """By default, topics accept 256 KiB, and queues 1 MiB including message attributes."""
    for each in result_topics(template).values():
        assert "MaximumMessageSize" not in each.get("Properties", {})
    for each in resources(template, "AWS::SQS::Queue").values():
        assert "MaximumMessageSize" not in each["Properties"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_queue_and_the_subscription_have_separate_dead_letter_queues(template, channel):
    queues = resources(template, "AWS::SQS::Queue")
    queue_dlq = named(queues, f"{channel}DeadLetterQueue")
    subscription_dlq = named(queues, f"{channel}SubscriptionDeadLetterQueue")
    for each in (queue_dlq, subscription_dlq):
        assert queues[each]["Properties"]["MessageRetentionPeriod"] == FOURTEEN_DAYS
    queue = properties(template, "AWS::SQS::Queue", f"{channel}Queue")
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [queue_dlq, "Arn"]}
    subscription = properties(template, "AWS::SNS::Subscription", f"{channel}Queue")
    assert subscription["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": [subscription_dlq, "Arn"]
    }


@pytest.mark.parametrize("channel", CHANNELS)
def test_notifications_are_delivered_raw(template, channel):
    subscription = properties(template, "AWS::SNS::Subscription", f"{channel}Queue")
    assert subscription["RawMessageDelivery"] is True


@pytest.mark.parametrize("channel", CHANNELS)
def test_only_the_topic_can_send_to_the_queue(template, channel):
    topic = {"Ref": named(resources(template, "AWS::SNS::Topic"), f"{channel}Topic")}
    policy = statements(template, "AWS::SQS::QueuePolicy", f"{channel}QueuePolicy")
    (allowed,) = [each for each in policy if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "sns.amazonaws.com"}
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": topic}}
    assert {
        "Effect": "Deny",
        "Action": "sqs:SendMessage",
        "Principal": {"AWS": "*"},
        "Condition": {"ArnNotEquals": {"aws:SourceArn": topic}},
    }.items() <= next(each for each in policy if "ArnNotEquals" in str(each)).items()


def test_topics_and_queues_require_tls(template):
    secure = {"Bool": {"aws:SecureTransport": "false"}}
    for kind in ("AWS::SQS::Queue", "AWS::SNS::Topic"):
        policies = resources(template, f"{kind}Policy")
        assert len(policies) == len(resources(template, kind))
        for each in policies.values():
            policy = each["Properties"]["PolicyDocument"]["Statement"]
            assert [s for s in policy if s["Effect"] == "Deny" and s["Condition"] == secure]


def test_the_table_has_the_keys_and_indexes_of_the_contract(template):
    table = properties(template, "AWS::DynamoDB::GlobalTable", "InferencesTable")
    assert keys(table) == [Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME]
    indexes = {each["IndexName"]: each for each in table["GlobalSecondaryIndexes"]}
    assert {name: keys(each) for name, each in indexes.items()} == {
        Index.BY_ENDPOINT: [Attribute.ENDPOINT_SHARD, Attribute.ENDPOINT_SORT],
        Index.BY_STATUS: [Attribute.STATUS_SHARD, Attribute.STATUS_SORT],
        Index.BY_ENDPOINT_AND_STATUS: [Attribute.ENDPOINT_STATUS_SHARD, Attribute.STATUS_SORT],
    }
    assert Attribute.OUTPUT not in indexes[Index.BY_ENDPOINT]["Projection"]["NonKeyAttributes"]


def test_the_table_streams_old_and_new_images(template):
    table = properties(template, "AWS::DynamoDB::GlobalTable", "InferencesTable")
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


TABLES = ("InferencesTable", "SummariesTable")


@pytest.mark.parametrize("part", TABLES)
def test_a_table_has_ttl_and_point_in_time_recovery(template, part):
    table = properties(template, "AWS::DynamoDB::GlobalTable", part)
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {
        "AttributeName": Attribute.EXPIRES_AT,
        "Enabled": True,
    }
    (replica,) = table["Replicas"]
    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("part", TABLES)
def test_a_table_outlives_the_stack_by_default(template, not_retained, part):
    for stack, policy, protected in ((template, "Retain", True), (not_retained, "Delete", False)):
        tables = resources(stack, "AWS::DynamoDB::GlobalTable")
        table = tables[named(tables, part)]
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == policy
        (replica,) = table["Properties"]["Replicas"]
        assert replica["DeletionProtectionEnabled"] is protected


HOLDING = ("AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::KMS::Key")


@pytest.mark.parametrize("kind", HOLDING)
def test_topics_queues_and_keys_outlive_the_stack_but_not_a_failed_creation(customer_keys, kind):
    assert {
        (each["DeletionPolicy"], each["UpdateReplacePolicy"])
        for each in resources(customer_keys, kind).values()
    } == {("RetainExceptOnCreate", "Retain")}


def test_nothing_outlives_a_stack_that_is_not_retained():
    template = synthesised("customer keys", retain="false")["InferenceResults"]
    kept = [
        each
        for each in template["Resources"].values()
        if "Retain" in f"{each.get('DeletionPolicy')} {each.get('UpdateReplacePolicy')}"
    ]
    assert not kept
    for kind in (*HOLDING, "AWS::DynamoDB::GlobalTable"):
        assert {each["DeletionPolicy"] for each in resources(template, kind).values()} == {"Delete"}


@pytest.mark.parametrize("channel", CHANNELS)
def test_only_the_failed_messages_of_a_batch_are_retried(template, channel):
    mapping = properties(template, "AWS::Lambda::EventSourceMapping", f"{channel}Recorder")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert mapping["BatchSize"] == 10
    queue = named(resources(template, "AWS::SQS::Queue"), f"{channel}Queue")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]}


def test_every_function_has_its_own_role_and_log_group(template):
    functions = [
        each["Properties"] for each in resources(template, "AWS::Lambda::Function").values()
    ]
    assert len(functions) == 7
    for name in ("Role", "LoggingConfig"):
        assert len({json.dumps(each[name]) for each in functions}) == 7
    for group in resources(template, "AWS::Logs::LogGroup").values():
        assert group["Properties"]["RetentionInDays"] == 30


def test_all_functions_share_one_asset_runtime_and_architecture(template):
    functions = [
        each["Properties"] for each in resources(template, "AWS::Lambda::Function").values()
    ]
    assert len({json.dumps(each["Code"]) for each in functions}) == 1
    assert {each["Runtime"] for each in functions} == {"python3.14"}
    assert {tuple(each["Architectures"]) for each in functions} == {("arm64",)}


def test_record_result_has_only_the_permissions_that_it_needs(template):
    policy = statements(template, "AWS::IAM::Policy", "CompletedRecorder")
    assert sorted(action for each in policy for action in actions(each)) == [
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucket",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    ]
    table = named(resources(template, "AWS::DynamoDB::GlobalTable"), "InferencesTable")
    on_table = next(each for each in policy if "dynamodb:GetItem" in actions(each))
    assert on_table["Resource"] == {"Fn::GetAtt": [table, "Arn"]}


def test_status_api_can_only_read(template):
    policy = statements(template, "AWS::IAM::Policy", "StatusApi")
    assert sorted(action for each in policy for action in actions(each)) == [
        "dynamodb:BatchGetItem",
        "dynamodb:Query",
        "dynamodb:Query",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:ListBucket",
    ]
    tables = resources(template, "AWS::DynamoDB::GlobalTable")
    inferences, summaries = (named(tables, each) for each in ("Inferences", "Summaries"))
    by_key, by_index = (each for each in policy if "dynamodb:Query" in actions(each))
    assert by_key["Resource"] == {"Fn::GetAtt": [inferences, "Arn"]}
    allowed = [
        {"Fn::Join": ["", [{"Fn::GetAtt": [inferences, "Arn"]}, f"/index/{index}"]]}
        for index in Index
    ]
    assert sorted(by_index["Resource"], key=str) == sorted(
        [*allowed, {"Fn::GetAtt": [summaries, "Arn"]}], key=str
    )


def test_api_concurrency_reserves_concurrency(template, not_retained):
    function = properties(template, "AWS::Lambda::Function", "StatusApi")
    assert "ReservedConcurrentExecutions" not in function
    limited = properties(not_retained, "AWS::Lambda::Function", "StatusApi")
    assert limited["ReservedConcurrentExecutions"] == 50


@pytest.mark.parametrize("part", ["CompletedRecorder", "StatusApi"])
def test_outputs_are_read_and_listed_below_the_prefixes_only(template, part):
    policy = statements(template, "AWS::IAM::Policy", part)
    reading = next(each for each in policy if "s3:GetObject" in actions(each))
    assert [each["Fn::Join"][1][-1] for each in reading["Resource"]] == [
        ":s3:::customer-outputs/async/*",
        ":s3:::customer-outputs/failures/*",
    ]
    listing = [each for each in policy if "s3:ListBucket" in actions(each)]
    assert [each["Condition"] for each in listing] == [
        {"StringLike": {"s3:prefix": "async/*"}},
        {"StringLike": {"s3:prefix": "failures/*"}},
    ]


def test_the_api_has_every_route_of_the_contract(template):
    routes = resources(template, "AWS::ApiGatewayV2::Route").values()
    assert {each["Properties"]["RouteKey"] for each in routes} == set(Route)


def test_every_read_route_requires_a_token_if_an_issuer_is_named():
    template = synthesised("tokens")["InferenceResults"]
    (authorizer,) = resources(template, "AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["Properties"]["JwtConfiguration"] == {
        "Issuer": "https://login.example.com/tenant",
        "Audience": ["one", "two"],
    }
    for route in resources(template, "AWS::ApiGatewayV2::Route").values():
        if route["Properties"]["RouteKey"] in SUBMISSION_ROUTES:
            continue
        assert route["Properties"]["AuthorizationType"] == "JWT"


def test_every_route_requires_iam_and_requests_are_logged(template):
    for route in resources(template, "AWS::ApiGatewayV2::Route").values():
        assert route["Properties"]["AuthorizationType"] == "AWS_IAM"
    (stage,) = resources(template, "AWS::ApiGatewayV2::Stage").values()
    settings = stage["Properties"]["AccessLogSettings"]
    assert settings["DestinationArn"]
    assert "requestId" in json.loads(settings["Format"])


def test_the_outputs_have_the_names_of_the_contract(template):
    assert set(template["Outputs"]) == set(StackOutput)


def test_api_false_removes_the_api_and_its_functions():
    template = synthesised("no api")["InferenceResults"]
    assert not resources(template, "AWS::ApiGatewayV2::Api")
    assert len(resources(template, "AWS::Lambda::Function")) == 5
    assert set(template["Outputs"]) == set(StackOutput) - {StackOutput.API_URL}


def test_existing_topics_are_subscribed_and_not_created(existing_topics):
    assert not result_topics(existing_topics)
    subscribed = resources(existing_topics, "AWS::SNS::Subscription").values()
    topics = {each["Properties"]["TopicArn"] for each in subscribed}
    assert topics == {
        "arn:aws:sns:eu-west-1:123456789012:done",
        "arn:aws:sns:eu-west-1:123456789012:broken",
    }
    for channel, topic in zip(CHANNELS, sorted(topics, reverse=True), strict=True):
        policy = statements(existing_topics, "AWS::SQS::QueuePolicy", f"{channel}QueuePolicy")
        assert {"ArnEquals": {"aws:SourceArn": topic}} in [each["Condition"] for each in policy]


def test_one_topic_for_both_outcomes_has_one_queue(one_topic):
    """Two subscriptions would deliver every notification twice, and cost twice as much."""
    assert len(resources(one_topic, "AWS::SNS::Subscription")) == 1
    assert len(resources(one_topic, "AWS::Lambda::EventSourceMapping")) == 3  # and the stream's
    outputs = one_topic["Outputs"]
    assert outputs["CompletedQueueUrl"]["Value"] == outputs["FailedQueueUrl"]["Value"]


def test_both_the_role_and_the_topics_allow_the_execution_role_to_publish(customer_keys):
    topics = [{"Ref": name} for name in result_topics(customer_keys)]
    policies = resources(customer_keys, "AWS::IAM::Policy")
    publishing = [
        each
        for policy in policies.values()
        if policy["Properties"]["Roles"] == ["model-execution"]
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
        if actions(each) == ["sns:Publish"]
    ]
    assert [each["Resource"] for each in publishing] == [topics]
    for name, policy in resources(customer_keys, "AWS::SNS::TopicPolicy").items():
        assert "Alarms" in name or [
            each
            for each in policy["Properties"]["PolicyDocument"]["Statement"]
            if each["Effect"] == "Allow"
            and each["Action"] == "sns:Publish"
            and each["Principal"] == {"AWS": EXECUTION_ROLE}
        ]


def test_stacks_in_two_regions_can_extend_the_same_role(customer_keys):
    """Roles are global, and CloudFormation overwrites an inline policy of the same name."""
    policies = resources(customer_keys, "AWS::IAM::Policy")
    name = policies[named(policies, "PublishPolicy")]["Properties"]["PolicyName"]
    assert {"Ref": "AWS::StackName"} in name["Fn::Join"][1]
    assert {"Ref": "AWS::Region"} in name["Fn::Join"][1]


def test_existing_topics_need_no_topic_key():
    existing = {name: f"{TOPIC}{name}" for name in ("success_topic_arn", "error_topic_arn")}
    template = synthesised("customer keys", **existing)["InferenceResults"]
    assert not [name for name in resources(template, "AWS::KMS::Key") if "Topics" in name]


def test_aws_keys_encrypt_queues_and_tables_by_default(template):
    """DynamoDB always encrypts tables; SSESpecification only selects another key."""
    for each in resources(template, "AWS::SQS::Queue").values():
        assert each["Properties"]["SqsManagedSseEnabled"] is True
    for each in resources(template, "AWS::DynamoDB::GlobalTable").values():
        assert "SSESpecification" not in json.dumps(each)


def test_customer_keys_encrypt_topics_queues_and_tables(customer_keys):
    found = resources(customer_keys, "AWS::KMS::Key")
    key = {kind: {"Fn::GetAtt": [named(found, f"Keys{kind}"), "Arn"]} for kind in KEYS}
    for each in result_topics(customer_keys).values():
        assert each["Properties"]["KmsMasterKeyId"] == key["Topics"]
    for each in resources(customer_keys, "AWS::SQS::Queue").values():
        assert each["Properties"]["KmsMasterKeyId"] == key["Queues"]
    for part in TABLES:
        table = properties(customer_keys, "AWS::DynamoDB::GlobalTable", part)
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
        assert table["Replicas"][0]["SSESpecification"] == {"KMSMasterKeyId": key["Table"]}
    assert all(each["Properties"]["EnableKeyRotation"] for each in found.values())


KEYS = ("Topics", "Queues", "Table", "Alarms")


def test_emails_are_subscribed_to_the_result_topics(not_retained):
    subscriptions = [
        each["Properties"]
        for each in resources(not_retained, "AWS::SNS::Subscription").values()
        if each["Properties"]["Protocol"] == "email"
    ]
    subscribed = sorted((str(each["TopicArn"]), each["Endpoint"]) for each in subscriptions)
    assert [address for topic, address in subscribed if "CompletedTopic" in topic] == [
        "team@example.com"
    ]
    assert [address for topic, address in subscribed if "FailedTopic" in topic] == [
        "oncall@example.com",
        "team@example.com",
    ]


def test_a_repeated_address_is_subscribed_once():
    emails = {"success_emails": "a@example.com", "error_emails": "a@example.com,a@example.com"}
    template = synthesised("one existing topic", **emails)["InferenceResults"]
    protocols = [
        each["Properties"]["Protocol"]
        for each in resources(template, "AWS::SNS::Subscription").values()
    ]
    assert sorted(protocols) == ["email", "sqs"]


def test_every_role_has_the_permissions_boundary(not_retained):
    for role in resources(not_retained, "AWS::IAM::Role").values():
        assert role["Properties"]["PermissionsBoundary"].endswith("policy/boundary")


def test_nothing_has_a_physical_name(template):
    names = (
        "TopicName",
        "QueueName",
        "TableName",
        "FunctionName",
        "RoleName",
        "LogGroupName",
        "AlarmName",
        "DashboardName",
    )
    for each in template["Resources"].values():
        given = each.get("Properties", {})
        assert not [name for name in names if isinstance(given.get(name), str)]
