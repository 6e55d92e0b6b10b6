"""The logs of the deployed functions hold the metrics, and nothing of what went well besides."""

import boto3

from inference_results.contract import METRICS_NAMESPACE
from tests.deploy.conftest import eventually
from tests.emf import emf_lines, measured


def logged(service):
    """What the functions of a service wrote, without the lines that are Lambda's own."""
    functions = boto3.client("lambda").get_paginator("list_functions").paginate()
    groups = [
        each["LoggingConfig"]["LogGroup"]
        for page in functions
        for each in page["Functions"]
        if each["Handler"] == f"functions.{service}.handler"
    ]
    assert groups
    pages = boto3.client("logs").get_paginator("filter_log_events")
    return "\n".join(
        event["message"].rstrip()
        for group in groups
        for page in pages.paginate(logGroupName=group)
        for event in page["events"]
        if event["message"].startswith("{")
    )


def found(service, name, **dimensions):
    """How often a metric of a service was written with some dimensions."""
    identity = (METRICS_NAMESPACE, name, tuple(sorted((dimensions | {"service": service}).items())))
    return sum(each.identity == identity for each in measured(logged(service)))


def test_a_result_leaves_its_metrics_in_the_logs(invoke, record_of):
    record = record_of(invoke(b"hello")["InferenceId"])
    of_result = {"endpoint": "other", "status": record["status"]}
    eventually(lambda: found("record_result", "Recorded"))
    for name in ("Results", "InferenceTime", "PipelineLag", "OutputBytes"):
        assert found("record_result", name, **of_result), name
    eventually(lambda: found("publish_events", "EventsPublished"))
    assert found("publish_events", "PublishLag")
    assert found("status_api", "Latency", route="GET /inferences/{inference_id}")


def test_what_goes_well_is_told_by_metrics_alone(invoke, record_of):
    inference_id = record_of(invoke(b"hello")["InferenceId"])["inference_id"]
    for service in ("record_result", "publish_events", "status_api"):
        lines = logged(service)
        assert inference_id not in lines
        assert emf_lines(lines)
