"""The deployed system counts results."""

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import boto3
import pytest

from inference_results.adapters.table.summaries import SummaryStore
from inference_results.contract import StackOutput
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.summaries.summarize import SummarizeEndpoint
from tests.support.samples import body, completed, failed
from tests.support.waiting import eventually


@pytest.fixture
def days(outputs):
    table = SummaryStore(boto3.client("dynamodb"), outputs[StackOutput.SUMMARIES_TABLE_NAME])
    summarize = SummarizeEndpoint(summaries=table, now=partial(datetime.now, UTC))
    return lambda endpoint_name: summarize(endpoint_name)["days"]


@pytest.fixture
def endpoint_name():
    """A unique name, for results of this test only."""
    return f"summary-{uuid.uuid4()}"


def counts(days):
    return {day["day"]: day["counts"] for day in days}


def test_results_of_an_endpoint_are_counted_with_their_latencies(invoke, days, endpoint_name):
    today = datetime.now(UTC).date().isoformat()
    attributes = ["", "", "simulate-duplicate", "simulate-failure=503", "simulate-expiry"]
    for each in [*attributes, "simulate-delay=2"]:
        invoke(custom_attributes=each, EndpointName=endpoint_name)
    expected = {"Completed": 4, "Failed": 1, "Expired": 1}
    eventually(lambda: counts(days(endpoint_name)).get(today) == expected, seconds=30)
    (day,) = days(endpoint_name)
    assert day["latency"]["count"] == 6
    assert day["latency"]["p50_ms"] < 2000 <= day["latency"]["p99_ms"] * 1.05


def test_a_replaced_result_is_replaced_in_the_counts(outputs, days, endpoint_name):
    inference_id = str(uuid.uuid4())
    now = datetime.now(UTC)
    yesterday, today = now - timedelta(days=1), now
    for event, expected in [
        (failed(inference_id, eventTime=timestamp(yesterday)), (yesterday, {"Failed": 1})),
        (completed(inference_id, eventTime=timestamp(today)), (today, {"Completed": 1})),
    ]:
        event["requestParameters"] = {"endpointName": endpoint_name}
        boto3.client("sns").publish(
            TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], Message=body(event)
        )
        day, by_status = expected
        counted = {day.date().isoformat(): by_status}
        eventually(partial(_has_counts, counted, days, endpoint_name), seconds=30)


def _has_counts(expected, days, endpoint_name):
    return counts(days(endpoint_name)) == expected
