"""The metrics that handlers emit and their dimensions, as docs/operations/metrics.md lists them."""

import re
from itertools import product

import pytest

from functions.telemetry.metrics import InvocationMetrics
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.contract import METRICS_NAMESPACE, OTHER, SUBMISSION_ROUTES, Metric, Route
from tests.support.alarms import alarm_metrics, dashboard_metrics
from tests.support.emf import emf_lines, parse_metrics
from tests.support.samples import body, completed, failed
from tests.support.synthesis import ROOT, synthesised

BY_SERVICE = {
    "record_result": [
        Metric.RECORDED,
        Metric.RECORDED_WITH_OUTPUT_ERROR,
        Metric.DUPLICATE,
        Metric.SUPERSEDED,
        Metric.IGNORED,
        Metric.UNPROCESSABLE,
        Metric.MESSAGES_RETURNED,
        Metric.FAST_CLIENT_FALLBACKS,
        Metric.PIPELINE_LAG,
    ],
    "reconcile": [
        Metric.RECOVERED_COMPLETED,
        Metric.RECOVERED_FAILED,
        Metric.LOST,
        Metric.OUTPUT_READ,
        Metric.OUTPUT_STILL_UNREADABLE,
        Metric.CHANGED_CONCURRENTLY,
        Metric.LEFT_FOR_NEXT_RUN,
        Metric.MALFORMED_RECORDS,
    ],
    "publish_events": [
        Metric.EVENTS_PUBLISHED,
        Metric.EVENTS_RETRIED,
        Metric.CHANGES_RETURNED,
        Metric.EVENTS_REJECTED,
        Metric.MALFORMED_RECORDS,
        Metric.PUBLISH_LAG,
        Metric.TASKS_COMPLETED,
        Metric.TASKS_GONE,
        Metric.TASKS_DENIED,
    ],
}
REJECTION_REASONS = ["NotJson", "UnknownEvent", "MissingField", "InvalidField"]
ENDPOINTS = ["speech", OTHER]


def expected_metrics():
    """Yield the name and the dimensions of each documented metric."""
    for service, names in BY_SERVICE.items():
        yield from ((name, {"service": service}) for name in names)
    record = {"service": "record_result"}
    for reason in REJECTION_REASONS:
        yield Metric.UNPROCESSABLE, record | {"reason": reason}
    by_status = [Metric.RESULTS, Metric.INFERENCE_TIME, Metric.PIPELINE_LAG]
    for endpoint, status in product(ENDPOINTS, ["Completed", "Failed", "Expired", "Lost", OTHER]):
        yield from ((name, record | {"endpoint": endpoint, "status": status}) for name in by_status)
    for endpoint in ENDPOINTS:
        yield Metric.OUTPUT_BYTES, record | {"endpoint": endpoint, "status": "Completed"}
        for status in ("Completed", "Failed", "Lost"):
            reconcile = {"service": "reconcile", "endpoint": endpoint, "status": status}
            yield Metric.RESULTS, reconcile
    for route in Route:
        service = "submission_api" if route in SUBMISSION_ROUTES else "status_api"
        yield Metric.LATENCY, {"service": service, "route": str(route)}
    yield Metric.LATENCY, {"service": "status_api", "route": OTHER}


def test_every_metric_is_emitted_with_exactly_its_dimensions(emitted):
    assert emitted == {
        (METRICS_NAMESPACE, str(name), tuple(sorted(dimensions.items())))
        for name, dimensions in expected_metrics()
    }
    assert {name for _, name, _ in emitted} == set(Metric)


def test_alarms_and_dashboard_use_only_emitted_metrics(emitted):
    template = synthesised("default", watched_endpoints="speech")["InferenceResults"]
    for metrics_of in (alarm_metrics, dashboard_metrics):
        used = {
            (namespace, name, tuple(sorted(dimensions.items())))
            for namespace, name, dimensions in metrics_of(template)
            if namespace == METRICS_NAMESPACE
        }
        assert used
        assert used <= emitted


METRICS_PAGE = (ROOT / "docs/operations/metrics.md").read_text()


def test_the_metrics_page_names_every_metric():
    assert set(Metric) - set(re.findall(r"`(\w+)`", METRICS_PAGE)) == set()


def test_the_metrics_page_has_the_right_numbers_of_metrics():
    """The route `other` does not count: API Gateway invokes the functions for known routes only."""
    without_endpoint = [each for _, each in expected_metrics() if "endpoint" not in each]
    fixed = sum(each.get("route") != OTHER for each in without_endpoint)
    assert f"most {fixed} metrics" in METRICS_PAGE
    statuses = {each["status"] for _, each in expected_metrics() if "status" in each}
    per_endpoint = 4 * len(statuses) + 3
    for watched in (0, 5, 20):
        assert f"= {fixed + (watched + 1) * per_endpoint} |" in METRICS_PAGE


@pytest.fixture
def record(load_handler, s3, context, capsys):
    """Return a function that processes notifications and returns the standard output."""
    handler = load_handler("record_result", synthesised("observed")["InferenceResults"])

    def record(*notifications):
        records = [
            {
                "messageId": f"message-{number}",
                "body": each if isinstance(each, str) else body(each),
                "attributes": {"ApproximateReceiveCount": "3"},
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
            }
            for number, each in enumerate(notifications)
        ]
        handler({"Records": records}, context)
        return capsys.readouterr().out

    return record


def at(endpoint):
    return {"requestParameters": {"endpointName": endpoint}}


def test_a_batch_emits_one_line_per_set_of_dimensions(record):
    notifications = [failed(f"a-{number}", **at("speech")) for number in range(5)]
    notifications += [failed(f"b-{number}", **at(f"unwatched-{number}")) for number in range(5)]
    output = record(*notifications, "not json")
    found = {each.identity[1:]: each.values for each in parse_metrics(output)}
    assert len(emf_lines(output)) == 4
    service = ("service", "record_result")
    for endpoint in ("speech", OTHER):
        dimensions = (("endpoint", endpoint), service, ("status", "Failed"))
        assert found["Results", dimensions] == (5,)
        assert len(found["InferenceTime", dimensions]) == 5
        assert len(found["PipelineLag", dimensions]) == 5
    assert len(found["PipelineLag", (service,)]) == 10
    assert found["Unprocessable", (("reason", "NotJson"), service)] == (1,)


def values(output, name, *dimensions):
    """Return the values of a metric, per line with `service` and these dimensions."""
    return [
        each.values
        for each in parse_metrics(output)
        if each.name == name and dict(each.dimensions).keys() == {"service", *dimensions}
    ]


BY_STATUS = ("endpoint", "status")


def test_the_inference_time_is_in_milliseconds(record):
    times = {"receivedTime": "2026-01-25T12:00:00Z", "eventTime": "2026-01-25T12:00:01.5Z"}
    output = record(failed("a", **times))
    assert values(output, "InferenceTime", *BY_STATUS) == [(1500,)]
    (inference_time,) = [each for each in parse_metrics(output) if each.name == "InferenceTime"]
    assert inference_time.unit == "Milliseconds"


def test_a_notification_without_its_received_time_has_no_inference_time(record):
    output = record(failed("a", receivedTime=None))
    assert values(output, "InferenceTime", *BY_STATUS) == []
    assert values(output, "Results", *BY_STATUS) == [(1,)]


def test_a_time_is_zero_instead_of_negative_when_clocks_differ(record):
    ahead = {"receivedTime": "9999-01-01T00:00:01Z", "eventTime": "9999-01-01T00:00:00Z"}
    output = record(failed("a", **ahead))
    assert values(output, "InferenceTime", *BY_STATUS) == [(0,)]
    assert values(output, "PipelineLag") == [(0,)]


def test_the_output_size_is_that_of_the_whole_object(record, s3):
    s3.put_object(Bucket="customer-outputs", Key="async/one.out", Body=b"x" * 5_000)
    output = record(completed("a"))
    assert values(output, "OutputBytes", *BY_STATUS) == [(5_000,)]
    (size,) = [each for each in parse_metrics(output) if each.name == "OutputBytes"]
    assert size.unit == "Bytes"


def test_a_duplicate_is_not_counted_as_a_result(record):
    record(failed("a"))
    output = record(failed("a"))
    assert {each.name for each in parse_metrics(output)} == {"Duplicate"}


def test_more_than_a_hundred_values_are_split_into_several_lines(capsys, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", METRICS_NAMESPACE)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "record_result")
    for number in (99, 100, 101, 250):
        metrics = InvocationMetrics()
        for value in range(number):
            metrics.add(Metric.RECORDED)
            metrics.add(Metric.PIPELINE_LAG, value)
        metrics.emit()
        found = parse_metrics(capsys.readouterr().out)
        lags = [value for each in found if each.name == "PipelineLag" for value in each.values]
        assert lags == list(range(number))
        assert [each.values for each in found if each.name == "Recorded"] == [(number,)]


def test_counts_of_zero_are_not_emitted(load_handler, context, capsys):
    load_handler("publish_events")({"Records": []}, context)
    load_handler("summarize")({"Records": []}, context)
    assert capsys.readouterr().out == ""


@pytest.fixture
def clock():
    """A clock that advances only when the handler sleeps or a test adds to it."""

    class Clock:
        now = 1_000.0

        def sleep(self, seconds):
            self.now += seconds

    return Clock()


@pytest.fixture
def latencies(load_handler, context, clock, monkeypatch, capsys):
    """Return a function that queries an unknown inference and returns the emitted latencies."""
    with monkeypatch.context() as patched:
        patched.setattr("time.monotonic", lambda: clock.now)
        patched.setattr("time.sleep", clock.sleep)
        handler = load_handler("status_api")
    find = InferenceQueries.find

    def slow(self, *arguments):
        clock.now += 0.03
        return find(self, *arguments)

    monkeypatch.setattr(InferenceQueries, "find", slow)

    def latencies(query):
        event = {
            "routeKey": str(Route.GET_INFERENCE_BY_QUERY),
            "rawPath": "/inference",
            "rawQueryString": query,
            "headers": {},
            "requestContext": {
                "http": {"method": "GET", "path": "/inference"},
                "stage": "$default",
                "requestId": "api-request-1",
            },
        }
        assert handler(event, context)["statusCode"] == 404
        return [each.values for each in parse_metrics(capsys.readouterr().out)]

    return latencies


def test_the_latency_is_the_time_of_the_aws_calls(latencies):
    assert latencies("id=one") == [(30,)]


def test_the_latency_excludes_the_pauses_of_a_wait(latencies, clock):
    started_at = clock.now
    ((latency,),) = latencies("id=one&wait=20")
    calls = round(latency / 30)
    assert latency == pytest.approx(30 * calls)
    assert 5 < calls < 20
    assert clock.now - started_at > 20
