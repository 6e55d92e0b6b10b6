"""Results pass through the deployed stack, with IAM enforced."""

import json
import random
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import boto3
import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from inference_results.adapters.table.results import ResultStore
from inference_results.contract import StackOutput
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.ports import Disposition
from local.demo import run_demo
from local.deployment import OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import EXECUTION_ROLE
from tests.support.fakes import World
from tests.support.samples import body, completed, failed, sample
from tests.support.waiting import eventually


def test_the_demo_finds_every_record_as_sent(folder):
    assert run_demo(folder, Console(quiet=True))


def test_a_message_published_with_boto3_is_in_the_table_within_seconds(outputs):
    inference_id = str(uuid.uuid4())
    boto3.client("s3").put_object(
        Bucket=outputs["OutputBucket"], Key=outputs["OutputPrefix"] + "mine.out", Body=b"0.93\n"
    )
    event = sample("completed", inferenceId=inference_id)
    location = f"s3://{outputs['OutputBucket']}/{outputs['OutputPrefix']}mine.out"
    event["responseParameters"]["outputLocation"] = location
    boto3.client("sns").publish(
        TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=body(event)
    )

    def item():
        return (
            boto3.client("dynamodb")
            .get_item(
                TableName=outputs[StackOutput.TABLE_NAME],
                Key={
                    "inference_id": {"S": inference_id},
                    "endpoint_name": {"S": "churn-endpoint"},
                },
            )
            .get("Item")
        )

    assert eventually(item)["output"]["M"]["inline"] == {"B": b"0.93\n"}


def test_the_record_matches_the_response_of_invoke_endpoint_async(invoke, wait_for_record):
    response = invoke(b"hello", Accept="text/csv")
    record = wait_for_record(response["InferenceId"])
    assert record["status"] == "Completed"
    output = record["output"]
    assert output["location"] == response["OutputLocation"]
    assert output["inline"] == {"encoding": "utf-8", "content": "hello"}
    assert output["content_type"] == "text/csv"
    pinned = boto3.client("s3").head_object(
        Bucket=output["bucket"], Key=output["key"], VersionId=output["version_id"]
    )
    assert (output["etag"], output["size"]) == (pinned["ETag"], pinned["ContentLength"])


def test_an_inline_input_has_no_input_location(wait_for_record):
    response = boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech", Body=b"in the request"
    )
    record = wait_for_record(response["InferenceId"])
    assert record["output"]["inline"]["content"] == "in the request"
    assert "input_location" not in record


OTHER_BYTES = 1_663
"""Size of the rest of the item, including the result."""


@pytest.mark.parametrize(("kilobytes", "fits"), [(399, True), (401, False)])
def test_an_item_with_foreign_attributes_accepts_results_up_to_400_kb(outputs, kilobytes, fits):
    """DynamoDB rejects a larger item on every attempt, so its notification becomes a dead letter.

    This service's own attributes use at most 281 KB.
    """
    dynamodb, table_name = boto3.client("dynamodb"), outputs[StackOutput.TABLE_NAME]
    records = ResultStore(dynamodb, table_name, int(outputs[StackOutput.SHARDS]))
    world = World(records=records)
    event = completed(str(uuid.uuid4()))
    world.objects.stored = {event["responseParameters"]["outputLocation"]: b"x" * 1000}
    key = {
        "inference_id": {"S": event["inferenceId"]},
        "endpoint_name": {"S": event["requestParameters"]["endpointName"]},
    }
    added = {"S": "x" * (kilobytes * 1024 - OTHER_BYTES)}
    dynamodb.put_item(TableName=table_name, Item={**key, "added": added})
    try:
        if fits:
            assert world.process(body(event)) is Disposition.RECORDED
        else:
            with pytest.raises(ClientError, match="maximum allowed size"):
                world.process(body(event))
    finally:
        dynamodb.delete_item(TableName=table_name, Key=key)


def test_a_large_output_is_a_reference(invoke, wait_for_record):
    content = b"x" * 1_000_000
    record = wait_for_record(invoke(content)["InferenceId"])
    assert record["output"]["size"] == len(content)
    assert "inline" not in record["output"]


@pytest.mark.parametrize(
    ("status", "code", "preview"),
    [
        (400, "MODEL_ERROR_4XX", '{"error": "the model returned 400"}'),
        (503, "MODEL_ERROR_5XX", '{"error": "the model returned 503"}'),
        (0, "MODEL_TIMEOUT", None),
    ],
)
def test_a_failure_has_a_code_and_a_preview(invoke, wait_for_record, status, code, preview):
    response = invoke(custom_attributes=f"simulate-failure={status}")
    record = wait_for_record(response["InferenceId"])
    assert record["status"] == "Failed"
    assert record["failure"]["code"] == code
    assert record["failure"].get("body_preview") == preview
    if preview:
        assert record["failure"]["location"] == response["FailureLocation"]


def test_a_response_in_the_notification_is_recorded_without_reading_s3(invoke, wait_for_record):
    output = wait_for_record(invoke(b"hello", "simulate-inline")["InferenceId"])["output"]
    assert output["inline"]["content"] == "hello"
    assert "etag" not in output


def test_an_expired_inference_is_recorded_as_expired(invoke, wait_for_record):
    record = wait_for_record(invoke(custom_attributes="simulate-expiry")["InferenceId"])
    assert (record["status"], record["failure"]["code"]) == ("Expired", "EXPIRED")


def test_an_unreadable_input_is_a_failure_without_an_object(wait_for_record):
    response = boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName="speech", InputLocation=f"s3://{OUTPUT_BUCKET}/elsewhere/input"
    )
    record = wait_for_record(response["InferenceId"])
    assert (record["status"], record["failure"]["code"]) == ("Failed", "UNKNOWN")


def test_the_same_id_on_two_endpoints_is_two_records(invoke, api):
    inference_id = str(uuid.uuid4())
    for endpoint in ("speech", "vision"):
        invoke(InferenceId=inference_id, EndpointName=endpoint)
    conflict = eventually(lambda: (a := api.get(inference_id))[0] == 409 and a[1])
    assert conflict["endpoints"] == ["speech", "vision"]
    status, record = api.get(inference_id, endpoint="vision")
    assert (status, record["endpoint_name"]) == (200, "vision")


def test_events_in_any_order_through_either_topic_leave_the_newest(outputs, wait_for_record):
    """Two functions process thirty notifications and a duplicate of each concurrently."""
    inference_id = str(uuid.uuid4())
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [timestamp(start + timedelta(seconds=number)) for number in range(30)]
    events = [
        body(failed(inference_id, eventTime=time, failureReason=f"at {time}")) for time in times
    ] * 2
    shuffled = random.Random(7).sample(events, len(events))  # noqa: S311 - a repeatable shuffle
    sns = boto3.client("sns")
    topics = [outputs[StackOutput.SUCCESS_TOPIC_ARN], outputs[StackOutput.ERROR_TOPIC_ARN]]
    for number, event in enumerate(shuffled):
        sns.publish(TopicArn=topics[number % 2], Message=event)
    eventually(lambda: wait_for_record(inference_id)["event_time"] == times[-1])
    eventually(lambda: all(_drained(outputs[name]) for name in QUEUES))
    record = wait_for_record(inference_id)
    assert (record["event_time"], record["failure"]["reason"]) == (times[-1], f"at {times[-1]}")


def test_a_backlog_is_drained_without_using_up_attempts(outputs):
    """Two hundred messages arrived while the mapping was disabled."""
    queue_url = outputs[StackOutput.FAILED_QUEUE_URL]
    ids = {str(uuid.uuid4()) for _ in range(200)}
    with mapping_of(queue_url) as change:
        change(Enabled=False, ScalingConfig={"MaximumConcurrency": 2})
        publish_all(outputs[StackOutput.ERROR_TOPIC_ARN], [body(failed(each)) for each in ids])
        assert not _drained(queue_url)
        change(Enabled=True)
        eventually(lambda: _drained(queue_url), 120)
    assert recorded_ids(outputs[StackOutput.TABLE_NAME]) >= ids
    assert _drained(outputs[StackOutput.FAILED_DEAD_LETTER_QUEUE_URL])


@contextmanager
def mapping_of(queue_url):
    """Yield a function that changes a queue's mapping, and restore the mapping afterwards."""
    client = boto3.client("lambda")
    (found,) = [
        each
        for each in client.list_event_source_mappings()["EventSourceMappings"]
        if each["EventSourceArn"].rpartition(":")[2] == queue_url.rpartition("/")[2]
    ]
    try:
        yield partial(client.update_event_source_mapping, UUID=found["UUID"])
    finally:
        client.update_event_source_mapping(
            UUID=found["UUID"], Enabled=True, ScalingConfig=found["ScalingConfig"]
        )


def publish_all(topic_arn, messages):
    sns = boto3.client("sns")
    for start in range(0, len(messages), 10):
        entries = [
            {"Id": str(number), "Message": each}
            for number, each in enumerate(messages[start : start + 10])
        ]
        response = sns.publish_batch(TopicArn=topic_arn, PublishBatchRequestEntries=entries)
        assert not response.get("Failed")


def recorded_ids(table_name):
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table_name)
    return {item["inference_id"]["S"] for page in pages for item in page["Items"]}


QUEUES = (StackOutput.COMPLETED_QUEUE_URL, StackOutput.FAILED_QUEUE_URL)


def _drained(queue_url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return all(found["Attributes"][name] == "0" for name in names)


def test_malformed_messages_are_rejected_without_affecting_others(outputs, wait_for_record):
    marker = str(uuid.uuid4())
    malformed = [f"{marker} no json", json.dumps({"eventName": marker}), body(failed(marker * 3))]
    valid = [str(uuid.uuid4()) for _ in range(5)]
    sns = boto3.client("sns")
    for message in [*malformed, *(body(failed(each)) for each in valid)]:
        sns.publish(TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], Message=message)
    assert [wait_for_record(each)["status"] for each in valid] == ["Failed"] * 5
    rejected = {}

    def all_rejected():
        for message in (
            boto3.client("sqs")
            .receive_message(
                QueueUrl=outputs[StackOutput.UNPROCESSABLE_QUEUE_URL],
                MessageAttributeNames=["All"],
                MaxNumberOfMessages=10,
                VisibilityTimeout=2,
            )
            .get("Messages", [])
        ):
            rejected[message["Body"]] = message["MessageAttributes"]["reason"]["StringValue"]
        return set(malformed) <= set(rejected)

    eventually(all_rejected)
    assert [rejected[each] for each in malformed] == ["NotJson", "UnknownEvent", "InvalidField"]


def test_a_lost_notification_leaves_no_record(invoke, api, wait_for_record):
    lost = invoke(custom_attributes="simulate-silence")["InferenceId"]
    wait_for_record(invoke()["InferenceId"])
    status, problem = api.get(lost)
    assert (status, problem["title"]) == (404, "Not Found")


@pytest.mark.parametrize("inference_id", ["page 18 (retry #2)", "~!@$^*|'\"+,;=:&<>[]{}"])
def test_unusual_ids_work_over_http(invoke, wait_for_record, inference_id):
    unique = f"{uuid.uuid4().hex[:8]} {inference_id}"
    assert invoke(InferenceId=unique)["InferenceId"] == unique
    assert wait_for_record(unique)["inference_id"] == unique


def test_an_output_outside_the_allowed_prefixes_is_never_read(outputs, wait_for_record):
    inference_id = str(uuid.uuid4())
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="somebody-elses")
    s3.put_object(Bucket="somebody-elses", Key="secret.out", Body=b"secret")
    event = sample("completed", inferenceId=inference_id)
    event["responseParameters"]["outputLocation"] = "s3://somebody-elses/secret.out"
    boto3.Session(profile_name=EXECUTION_ROLE).client("sns").publish(
        TopicArn=outputs[StackOutput.SUCCESS_TOPIC_ARN], Message=body(event)
    )
    record = wait_for_record(inference_id)
    assert record["status"] == "Completed"
    assert "output" not in record
    assert record["output_error"] == {
        "code": "LocationNotAllowed",
        "message": "expected a location below the stack's output_prefixes, without a .. segment",
        "location": "s3://somebody-elses/secret.out",
    }


def test_outputs_are_written_below_the_configured_prefix(invoke):
    location = invoke(Filename="chosen.json", S3OutputPathExtension="team/a")["OutputLocation"]
    assert location == f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX}team/a/chosen.json"
