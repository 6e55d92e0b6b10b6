"""The deployed system publishes status changes, and rules route them, with IAM enforced."""

import json
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError

from inference_results.client import Client
from inference_results.contract import EVENT_SOURCE, StackOutput
from inference_results.domain.record.timestamps import timestamp
from local.environment import READER_ROLE, SUBMITTER_ROLE
from tests.deploy.inferences import object_exists
from tests.deploy.listener import Listener
from tests.support.rules import rules_template
from tests.support.samples import body, completed, failed
from tests.support.waiting import eventually


@pytest.fixture
def endpoint_name():
    """A unique name, for events of this test only."""
    return f"events-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def publish(outputs, endpoint_name):
    """Publish notifications of the endpoint in batches of ten."""

    def publish(notifications):
        for each in notifications:
            each["requestParameters"] = {"endpointName": endpoint_name}
        sns = boto3.client("sns")
        for start in range(0, len(notifications), 10):
            entries = [
                {"Id": str(number), "Message": body(each)}
                for number, each in enumerate(notifications[start : start + 10])
            ]
            response = sns.publish_batch(
                TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], PublishBatchRequestEntries=entries
            )
            assert not response.get("Failed")

    return publish


def test_events_of_all_kinds_match_the_records(invoke, listener, endpoint_name, wait_for_record):
    detail_types = {
        "": "Inference Completed",
        "simulate-duplicate": "Inference Completed",
        "simulate-failure=503": "Inference Failed",
        "simulate-expiry": "Inference Expired",
    }
    expected = {
        invoke(custom_attributes=each, EndpointName=endpoint_name)["InferenceId"]: detail_type
        for each, detail_type in detail_types.items()
    }
    eventually(lambda: len(listener.receive()) >= len(expected))
    time.sleep(2)
    found = [(each["detail"]["inference_id"], each["detail-type"]) for each in listener.receive()]
    assert sorted(found) == sorted(expected.items())
    for each in listener.events:
        detail = dict(each["detail"])
        assert (detail.pop("version"), len(detail.pop("event_id"))) == (1, 32)
        record = wait_for_record(detail["inference_id"])
        record.pop("custom_attributes", None)
        assert detail == record
    failed_id = next(each for each, kind in expected.items() if kind == "Inference Failed")
    assert wait_for_record(failed_id)["custom_attributes"] == "simulate-failure=503"


def test_a_submission_and_its_result_are_published(
    outputs, invoke, publish, listener, endpoint_name
):
    response = invoke(custom_attributes="simulate-silence", EndpointName=endpoint_name)
    session = boto3.Session(profile_name=SUBMITTER_ROLE)
    with Client(outputs[StackOutput.API_URL], session=session) as client:
        client.register(response, endpoint=endpoint_name, metadata={"job": "7"})
    inference_id, output_location = response["InferenceId"], response["OutputLocation"]
    eventually(lambda: listener.events_of(inference_id))
    eventually(lambda: object_exists(output_location))
    result = completed(inference_id, eventTime=timestamp(datetime.now(UTC)))
    result["responseParameters"]["outputLocation"] = output_location
    publish([result])
    submitted, ended = eventually(
        lambda: len(events := listener.events_of(inference_id)) == 2 and events
    )
    assert submitted["detail-type"] == "Inference Submitted"
    assert submitted["detail"]["submission"]["output_location"] == output_location
    assert ended["detail-type"] == "Inference Completed"
    assert ended["detail"]["previous_status"] == "InProgress"
    assert ended["detail"]["caller_metadata"] == {"job": "7"}


def test_a_replaced_result_is_published_with_another_event_id(publish, listener):
    inference_id = str(uuid.uuid4())
    publish([failed(inference_id, eventTime="2026-01-25T12:00:00Z")])
    eventually(lambda: listener.events_of(inference_id))
    publish([completed(inference_id, eventTime="2026-01-25T13:00:00Z")])
    first, second = eventually(
        lambda: len(events := listener.events_of(inference_id)) == 2 and events
    )
    assert (first["detail"]["status"], second["detail"]["status"]) == ("Failed", "Completed")
    assert second["detail"]["previous_status"] == "Failed"
    assert first["detail"]["event_id"] != second["detail"]["event_id"]


def test_duplicate_notifications_publish_one_event_each(publish, listener, wait_for_record):
    ids = [str(uuid.uuid4()) for _ in range(200)]
    with ThreadPoolExecutor(1) as publisher:
        publishing = publisher.submit(publish, [failed(each) for each in [*ids, *ids[::5]]])
        # A message that fails is received again after 180 s.
        deadline = time.monotonic() + 240
        while (missing := set(ids) - event_counts(listener).keys()) and time.monotonic() < deadline:
            time.sleep(0.1)
        publishing.result()
    assert not missing, f"{len(missing)} without event, such as {wait_for_record(missing.pop())}"
    time.sleep(2)
    assert event_counts(listener) == dict.fromkeys(ids, 1)


def event_counts(listener):
    """Return the number of events by inference id, without repeated event ids."""
    events = {
        (each["detail"]["inference_id"], each["detail"]["event_id"]) for each in listener.receive()
    }
    return Counter(inference_id for inference_id, _ in events)


@pytest.fixture
def documented_queue(outputs, tmp_path):
    """The queue of the documented rule, deployed with CloudFormation."""
    template = rules_template(["a queue"], outputs[StackOutput.EVENT_BUS_ARN], tmp_path)
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="DocumentedRule", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="DocumentedRule", WaiterConfig={"Delay": 1}
    )
    (queue,) = [
        each["PhysicalResourceId"]
        for each in cloudformation.describe_stack_resources(StackName="DocumentedRule")[
            "StackResources"
        ]
        if each["LogicalResourceId"].startswith("Queue")
        and each["ResourceType"] == "AWS::SQS::Queue"
    ]
    yield queue
    cloudformation.delete_stack(StackName="DocumentedRule")


def test_the_documented_rule_matches_failed_inferences(invoke, documented_queue):
    completed_id, failed_id, other_endpoint_id = (
        invoke(custom_attributes=attributes, EndpointName=name)["InferenceId"]
        for attributes, name in [
            ("", "speech"),
            ("simulate-failure=500", "speech"),
            ("simulate-failure=500", "vision"),
        ]
    )
    listener = Listener(documented_queue)
    (event,) = eventually(lambda: listener.events_of(failed_id))
    assert event["detail-type"] == "Inference Failed"
    time.sleep(2)
    assert not listener.events_of(completed_id)
    assert not listener.events_of(other_endpoint_id)


def test_a_malformed_record_does_not_block_other_events(outputs, publish, listener, endpoint_name):
    boto3.client("dynamodb").put_item(
        TableName=outputs[StackOutput.TABLE_NAME],
        Item={
            "inference_id": {"S": "malformed"},
            "endpoint_name": {"S": endpoint_name},
            "status": {"NS": ["1", "2"]},
        },
    )
    inference_id = str(uuid.uuid4())
    publish([failed(inference_id)])
    eventually(lambda: listener.events_of(inference_id))
    assert listener.events_of("malformed") == []


def test_other_roles_cannot_put_events_on_the_bus(outputs):
    events = boto3.Session(profile_name=READER_ROLE).client("events")
    entry = {
        "EventBusName": outputs[StackOutput.EVENT_BUS_ARN],
        "Source": EVENT_SOURCE,
        "DetailType": "Inference Completed",
        "Detail": "{}",
    }
    with pytest.raises(ClientError, match="AccessDenied"):
        events.put_events(Entries=[entry])
