"""The logs of the deployed functions contain the metrics, and nothing else on success."""

import boto3

from inference_results.contract import METRICS_NAMESPACE
from tests.support.emf import emf_lines, parse_metrics
from tests.support.waiting import eventually


def logs_of(service):
    """Return the log lines of a service's functions, without Lambda's own."""
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


def count(service, name, **dimensions):
    """Count how often a service wrote a metric with these dimensions."""
    identity = (METRICS_NAMESPACE, name, tuple(sorted((dimensions | {"service": service}).items())))
    return sum(each.identity == identity for each in parse_metrics(logs_of(service)))


def test_a_result_writes_its_metrics_to_the_logs(invoke, wait_for_record):
    record = wait_for_record(invoke(b"hello")["InferenceId"])
    of_result = {"endpoint": "other", "status": record["status"]}
    eventually(lambda: count("record_result", "Recorded"))
    for name in ("Results", "InferenceTime", "PipelineLag", "OutputBytes"):
        assert count("record_result", name, **of_result), name
    eventually(lambda: count("publish_events", "EventsPublished"))
    assert count("publish_events", "PublishLag")
    assert count("status_api", "Latency", route="GET /inferences/{inference_id}")


def test_success_logs_only_metrics(invoke, wait_for_record):
    inference_id = wait_for_record(invoke(b"hello")["InferenceId"])["inference_id"]
    for service in ("record_result", "publish_events", "status_api"):
        lines = logs_of(service)
        assert inference_id not in lines
        assert emf_lines(lines)
