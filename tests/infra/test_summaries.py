"""The summaries table and summarize in the template."""

import json

import pytest

from inference_results.contract import SummaryAttribute
from tests.support.cloudformation import actions, keys, named, properties, resources, statements


@pytest.fixture
def mapping(template):
    return properties(template, "AWS::Lambda::EventSourceMapping", "Summarizer")


def test_the_table_has_the_keys_of_the_contract_and_no_stream(template):
    table = properties(template, "AWS::DynamoDB::GlobalTable", "SummariesTable")
    assert keys(table) == [SummaryAttribute.ENDPOINT_NAME, SummaryAttribute.DAY_WRITER]
    assert not table.keys() & {"StreamSpecification", "GlobalSecondaryIndexes"}


def test_summarize_reads_the_stream_from_its_beginning(template, mapping):
    table = named(resources(template, "AWS::DynamoDB::GlobalTable"), "InferencesTable")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [table, "StreamArn"]}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_stream_events_name_their_shard(mapping):
    """Lambda names the shard only with a tumbling window; items are keyed by shard."""
    assert mapping["TumblingWindowInSeconds"] > 0


def test_a_shard_is_counted_in_order(mapping):
    assert mapping.get("ParallelizationFactor", 1) == 1


def test_failed_batches_are_halved_and_become_dead_letters_while_the_stream_has_them(
    template, mapping
):
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRecordAgeInSeconds"] <= 12 * 3600
    assert mapping.get("MaximumRetryAttempts", -1) == -1
    queue = named(resources(template, "AWS::SQS::Queue"), "SummarizerDeadLetterQueue")
    destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": [queue, "Arn"]}


def test_one_invocation_counts_many_results(mapping):
    assert mapping["BatchSize"] == 1000
    assert mapping["MaximumBatchingWindowInSeconds"] == 5


def test_deletions_are_filtered_out(mapping):
    (event_filter,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(event_filter["Pattern"]) == {"eventName": ["INSERT", "MODIFY"]}


def test_summarize_can_only_read_the_stream_and_update_summaries(template):
    policy = statements(template, "AWS::IAM::Policy", "Summarizer")
    assert sorted(action for each in policy for action in actions(each)) == [
        "dynamodb:DescribeStream",
        "dynamodb:GetItem",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    ]
    table = named(resources(template, "AWS::DynamoDB::GlobalTable"), "SummariesTable")
    (update,) = [each for each in policy if "dynamodb:UpdateItem" in actions(each)]
    assert update["Resource"] == {"Fn::GetAtt": [table, "Arn"]}
