"""The dashboard uses metrics that exist."""

import json

import pytest

from inference_results.contract import OTHER, Dimension, Metric, Route, Service, Status
from tests.support.alarms import dashboard_metrics, widgets
from tests.support.cloudformation import resources
from tests.support.synthesis import synthesised

_ENDPOINT_DIMENSIONS = {Dimension.SERVICE, Dimension.ENDPOINT, Dimension.STATUS}
_TABLE_DIMENSIONS = [{"TableName"}, {"TableName", "GlobalSecondaryIndexName"}]
_QUEUE_DIMENSIONS = [{"QueueName"}]

PUBLISHED = {
    "AWS/DynamoDB": dict.fromkeys(
        ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"), _TABLE_DIMENSIONS
    ),
    "AWS/Lambda": dict.fromkeys(("Invocations", "Duration"), [{"FunctionName"}]),
    "AWS/Logs": {"IncomingBytes": [{"LogGroupName"}]},
    "AWS/SNS": dict.fromkeys(
        ("NumberOfMessagesPublished", "NumberOfNotificationsDelivered"), [{"TopicName"}]
    ),
    "AWS/SQS": dict.fromkeys(
        (
            "ApproximateNumberOfMessagesVisible",
            "NumberOfMessagesReceived",
            "NumberOfMessagesDeleted",
            "NumberOfEmptyReceives",
        ),
        _QUEUE_DIMENSIONS,
    ),
    "AWS/SageMaker": {"ApproximateBacklogSize": [{"EndpointName"}]},
}
"""Sets of published dimensions by namespace and metric, from AWS's documentation."""

OWN_DIMENSIONS = {
    Metric.RESULTS: _ENDPOINT_DIMENSIONS,
    Metric.INFERENCE_TIME: _ENDPOINT_DIMENSIONS,
    Metric.PIPELINE_LAG: _ENDPOINT_DIMENSIONS,
    Metric.LATENCY: {Dimension.SERVICE, Dimension.ROUTE},
}
"""Dimensions of our metrics that have more than the service."""


@pytest.fixture(scope="module")
def watched():
    return synthesised("watched endpoints")["InferenceResults"]


def graphs(template):
    (dashboard,) = resources(template, "AWS::CloudWatch::Dashboard").values()
    return {each["properties"]["title"]: each for each in widgets(dashboard)}


def test_the_dashboard_uses_only_published_dimensions(watched):
    for each in dashboard_metrics(watched):
        if each.namespace == "InferenceResults":
            assert set(each.dimensions) == OWN_DIMENSIONS.get(each.name, {Dimension.SERVICE}), each
            assert each.name in set(Metric)
            assert each.dimensions[Dimension.SERVICE] in set(Service)
            assert each.dimensions.get(Dimension.ROUTE, Route.BATCH_GET) in set(Route)
            assert each.dimensions.get(Dimension.STATUS, OTHER) in {*Status, OTHER}
        else:
            assert set(each.dimensions) in PUBLISHED[each.namespace][each.name], each


@pytest.mark.parametrize("status", ["Completed", "Failed", "Expired", "Lost"])
def test_results_are_shown_for_each_watched_endpoint_and_the_others(watched, status):
    graph = graphs(watched)[status]["properties"]["metrics"]
    labels = [line[0]["label"] for line in graph if isinstance(line[0], dict)]
    assert labels == ["speech", "ocr", OTHER]


def test_metric_ids_are_unique_within_a_graph(watched):
    for title, widget in graphs(watched).items():
        ids = [
            line[-1]["id"]
            for line in widget["properties"]["metrics"]
            if isinstance(line[-1], dict) and "id" in line[-1]
        ]
        assert len(ids) == len(set(ids)), title


def test_a_row_fills_the_width(watched):
    (dashboard,) = resources(watched, "AWS::CloudWatch::Dashboard").values()
    rows = {}
    for each in widgets(dashboard):
        rows.setdefault(each["y"], []).append(each["width"])
    assert len(rows) == 5
    assert {sum(widths) for widths in rows.values()} == {24}


def test_every_queue_function_and_table_is_shown(template):
    values = json.dumps([each.dimensions for each in dashboard_metrics(template)])
    for kind in ("AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::DynamoDB::GlobalTable"):
        for name in resources(template, kind):
            assert f"${{{name}}}" in values


def test_parts_that_are_not_deployed_are_not_shown():
    without = synthesised("no events", api="false")["InferenceResults"]
    services = {each.dimensions.get(Dimension.SERVICE) for each in dashboard_metrics(without)}
    assert services == {None, Service.RECORD_RESULT, Service.RECONCILE}


def test_dashboard_false_creates_no_dashboard():
    template = synthesised("no alarms")["InferenceResults"]
    assert not resources(template, "AWS::CloudWatch::Dashboard")


def test_the_maximum_of_watched_endpoints_fits_the_dashboard():
    names = ",".join(f"{number:02}{'x' * 61}" for number in range(20))
    template = synthesised("default", watched_endpoints=names)["InferenceResults"]
    lines = [len(each["properties"]["metrics"]) for each in graphs(template).values()]
    assert max(lines) <= 500
    assert sum(lines) <= 2500
