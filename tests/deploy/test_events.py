"""Changes of a status are told by the deployed system to whoever has a rule, with IAM enforced."""

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
from tests.deploy.conftest import eventually, is_there
from tests.deploy.listener import Listener
from tests.rules import template_of
from tests.samples import body, completed, failed


@pytest.fixture
def endpoint_name():
    """Of these results only."""
    return f"told-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def publish(outputs, endpoint_name):
    """Publish events as of the endpoint, ten in a call."""

    def publish(events):
        for event in events:
            event["requestParameters"] = {"endpointName": endpoint_name}
        sns = boto3.client("sns")
        for begin in range(0, len(events), 10):
            entries = [
                {"Id": str(at), "Message": body(event)}
                for at, event in enumerate(events[begin : begin + 10])
            ]
            answer = sns.publish_batch(
                TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], PublishBatchRequestEntries=entries
            )
            assert not answer.get("Failed")

    return publish


def test_results_of_every_kind_are_told_as_they_are_recorded(
    invoke, listener, endpoint_name, record_of
):
    wishes = {
        "": "Inference Completed",
        "simulate-duplicate": "Inference Completed",
        "simulate-failure=503": "Inference Failed",
        "simulate-expiry": "Inference Expired",
    }
    expected = {
        invoke(wishes=each, EndpointName=endpoint_name)["InferenceId"]: detail_type
        for each, detail_type in wishes.items()
    }
    eventually(lambda: len(listener.listen()) >= len(expected))
    time.sleep(2)
    found = [(each["detail"]["inference_id"], each["detail-type"]) for each in listener.listen()]
    assert sorted(found) == sorted(expected.items())
    for each in listener.events:
        told = dict(each["detail"])
        assert (told.pop("version"), len(told.pop("event_id"))) == (1, 32)
        record = record_of(told["inference_id"])
        assert told == {name: it for name, it in record.items() if name != "custom_attributes"}
    asked = record_of(next(each for each, of in expected.items() if of.endswith("Failed")))
    assert asked["custom_attributes"] == "simulate-failure=503"


def test_a_submission_is_told_and_then_its_end(outputs, invoke, publish, listener, endpoint_name):
    response = invoke(wishes="simulate-silence", EndpointName=endpoint_name)
    session = boto3.Session(profile_name=SUBMITTER_ROLE)
    with Client(outputs[StackOutput.API_URL], session=session) as client:
        client.register(response, endpoint=endpoint_name, metadata={"job": "7"})
    inference_id, output_location = response["InferenceId"], response["OutputLocation"]
    eventually(lambda: listener.told(inference_id))
    eventually(lambda: is_there(output_location))
    result = completed(inference_id, eventTime=timestamp(datetime.now(UTC)))
    result["responseParameters"]["outputLocation"] = output_location
    publish([result])
    submitted, ended = eventually(lambda: len(told := listener.told(inference_id)) == 2 and told)
    assert submitted["detail-type"] == "Inference Submitted"
    assert submitted["detail"]["submission"]["output_location"] == output_location
    assert ended["detail-type"] == "Inference Completed"
    assert ended["detail"]["previous_status"] == "InProgress"
    assert ended["detail"]["caller_metadata"] == {"job": "7"}


def test_a_result_that_replaces_another_is_told_with_an_id_of_its_own(publish, listener):
    inference_id = str(uuid.uuid4())
    publish([failed(inference_id, eventTime="2026-01-25T12:00:00Z")])
    eventually(lambda: listener.told(inference_id))
    publish([completed(inference_id, eventTime="2026-01-25T13:00:00Z")])
    first, second = eventually(lambda: len(told := listener.told(inference_id)) == 2 and told)
    assert (first["detail"]["status"], second["detail"]["status"]) == ("Failed", "Completed")
    assert second["detail"]["previous_status"] == "Failed"
    assert first["detail"]["event_id"] != second["detail"]["event_id"]


def test_many_results_of_which_some_are_notified_twice_are_told_once_each(
    publish, listener, record_of
):
    ids = [str(uuid.uuid4()) for _ in range(200)]
    with ThreadPoolExecutor(1) as publisher:
        publishing = publisher.submit(publish, [failed(each) for each in [*ids, *ids[::5]]])
        # A notice that could not be recorded at once comes back after 180.
        deadline = time.monotonic() + 240
        while len(untold := set(ids) - told_ids(listener).keys()) and time.monotonic() < deadline:
            time.sleep(0.1)
        publishing.result()
    assert not untold, f"{len(untold)} are not told; one of them: {record_of(untold.pop())}"
    time.sleep(2)
    assert told_ids(listener) == dict.fromkeys(ids, 1)


def told_ids(listener):
    """How many announcements each inference had; one that came twice is one."""
    told = {
        (each["detail"]["inference_id"], each["detail"]["event_id"]) for each in listener.listen()
    }
    return Counter(inference_id for inference_id, _ in told)


@pytest.fixture
def documented_queue(outputs, tmp_path):
    """Of the rule that the document shows, as CloudFormation makes it."""
    template = template_of(["a queue"], outputs[StackOutput.EVENT_BUS_ARN], tmp_path)
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="Told", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="Told", WaiterConfig={"Delay": 1}
    )
    (queue,) = [
        each["PhysicalResourceId"]
        for each in cloudformation.describe_stack_resources(StackName="Told")["StackResources"]
        if each["LogicalResourceId"].startswith("Queue")
        and each["ResourceType"] == "AWS::SQS::Queue"
    ]
    yield queue
    cloudformation.delete_stack(StackName="Told")


def test_the_documented_rule_tells_its_queue_of_what_did_not_end_well(invoke, documented_queue):
    fine, broken, elsewhere = (
        invoke(wishes=wish, EndpointName=name)["InferenceId"]
        for wish, name in [
            ("", "speech"),
            ("simulate-failure=500", "speech"),
            ("simulate-failure=500", "vision"),
        ]
    )
    listener = Listener(documented_queue)
    (event,) = eventually(lambda: listener.told(broken))
    assert event["detail-type"] == "Inference Failed"
    time.sleep(2)
    assert not listener.told(fine)
    assert not listener.told(elsewhere)


def test_a_malformed_record_does_not_hold_up_the_others(outputs, publish, listener, endpoint_name):
    boto3.client("dynamodb").put_item(
        TableName=outputs[StackOutput.TABLE_NAME],
        Item={
            "inference_id": {"S": "odd"},
            "endpoint_name": {"S": endpoint_name},
            "status": {"NS": ["1", "2"]},
        },
    )
    inference_id = str(uuid.uuid4())
    publish([failed(inference_id)])
    eventually(lambda: listener.told(inference_id))
    assert listener.told("odd") == []


def test_others_may_not_put_events_on_the_bus(outputs):
    events = boto3.Session(profile_name=READER_ROLE).client("events")
    entry = {
        "EventBusName": outputs[StackOutput.EVENT_BUS_ARN],
        "Source": EVENT_SOURCE,
        "DetailType": "Inference Completed",
        "Detail": "{}",
    }
    with pytest.raises(ClientError, match="AccessDenied"):
        events.put_events(Entries=[entry])
