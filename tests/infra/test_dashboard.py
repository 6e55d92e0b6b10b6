"""The dashboard shows metrics that there are."""

import json

import pytest

from inference_results.contract import OTHER, Dimension, Metric, Route, Service, Status
from tests.alarms import dashboard_metrics, widgets
from tests.conftest import resources
from tests.synthesis import synthesised

_BY_ENDPOINT = {Dimension.SERVICE, Dimension.ENDPOINT, Dimension.STATUS}
_OF_TABLE = [{"TableName"}, {"TableName", "GlobalSecondaryIndexName"}]
_OF_QUEUE = [{"QueueName"}]

PUBLISHED = {
    "AWS/DynamoDB": dict.fromkeys(
        ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"), _OF_TABLE
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
        _OF_QUEUE,
    ),
    "AWS/SageMaker": {"ApproximateBacklogSize": [{"EndpointName"}]},
}
"""By namespace and name the sets of dimensions, from AWS's documentation."""

SPECIAL = {
    Metric.RESULTS: _BY_ENDPOINT,
    Metric.INFERENCE_TIME: _BY_ENDPOINT,
    Metric.PIPELINE_LAG: _BY_ENDPOINT,
    Metric.LATENCY: {Dimension.SERVICE, Dimension.ROUTE},
}
"""Of our own; the others have the service alone."""


@pytest.fixture(scope="module")
def watched():
    return synthesised("watched endpoints")["InferenceResults"]


def shown(template):
    (dashboard,) = resources(template, "AWS::CloudWatch::Dashboard").values()
    return {each["properties"]["title"]: each for each in widgets(dashboard)}


def test_the_dashboard_shows_metrics_with_dimensions_that_are_published(watched):
    for each in dashboard_metrics(watched):
        if each.namespace == "InferenceResults":
            assert set(each.dimensions) == SPECIAL.get(each.name, {Dimension.SERVICE}), each
            assert each.name in set(Metric)
            assert each.dimensions[Dimension.SERVICE] in set(Service)
            assert each.dimensions.get(Dimension.ROUTE, Route.BATCH_GET) in set(Route)
            assert each.dimensions.get(Dimension.STATUS, OTHER) in {*Status, OTHER}
        else:
            assert set(each.dimensions) in PUBLISHED[each.namespace][each.name], each


@pytest.mark.parametrize("status", ["Completed", "Failed", "Expired", "Lost"])
def test_outcomes_are_shown_for_each_watched_endpoint_and_for_the_others(watched, status):
    graph = shown(watched)[status]["properties"]["metrics"]
    labels = [line[0]["label"] for line in graph if isinstance(line[0], dict)]
    assert labels == ["speech", "ocr", OTHER]


def test_names_in_a_graph_are_unique(watched):
    for title, widget in shown(watched).items():
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


def test_what_is_not_deployed_is_not_shown():
    without = synthesised("no events", api="false")["InferenceResults"]
    services = {each.dimensions.get(Dimension.SERVICE) for each in dashboard_metrics(without)}
    assert services == {None, Service.RECORD_RESULT, Service.RECONCILE}


def test_without_a_dashboard_there_is_none():
    template = synthesised("no alarms")["InferenceResults"]
    assert not resources(template, "AWS::CloudWatch::Dashboard")


def test_the_most_endpoints_keep_the_limits_of_a_dashboard():
    names = ",".join(f"{number:02}{'x' * 61}" for number in range(20))
    template = synthesised("default", watched_endpoints=names)["InferenceResults"]
    lines = [len(each["properties"]["metrics"]) for each in shown(template).values()]
    assert max(lines) <= 500
    assert sum(lines) <= 2500
