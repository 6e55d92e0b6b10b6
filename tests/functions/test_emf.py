"""Which metrics the handlers write, with which dimensions; docs/operations/metrics.md lists the same."""

import re
from itertools import product

import pytest

from functions.telemetry.metrics import InvocationMetrics
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.contract import METRICS_NAMESPACE, OTHER, SUBMISSION_ROUTES, Metric, Route
from tests.alarms import alarm_metrics, dashboard_metrics
from tests.emf import emf_lines, measured
from tests.samples import body, completed, failed
from tests.synthesis import ROOT, synthesised

COUNTED = {
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
REASONS = ["NotJson", "UnknownEvent", "MissingField", "InvalidField"]
ENDPOINTS = ["speech", OTHER]


def expected():
    """Of names and dimensions, what docs/operations/metrics.md promises."""
    for service, names in COUNTED.items():
        yield from ((name, {"service": service}) for name in names)
    record = {"service": "record_result"}
    for reason in REASONS:
        yield Metric.UNPROCESSABLE, record | {"reason": reason}
    told = [Metric.RESULTS, Metric.INFERENCE_TIME, Metric.PIPELINE_LAG]
    for endpoint, status in product(ENDPOINTS, ["Completed", "Failed", "Expired", "Lost", OTHER]):
        yield from ((name, record | {"endpoint": endpoint, "status": status}) for name in told)
    for endpoint in ENDPOINTS:
        yield Metric.OUTPUT_BYTES, record | {"endpoint": endpoint, "status": "Completed"}
        for status in ("Completed", "Failed", "Lost"):
            swept = {"service": "reconcile", "endpoint": endpoint, "status": status}
            yield Metric.RESULTS, swept
    for route in Route:
        service = "submission_api" if route in SUBMISSION_ROUTES else "status_api"
        yield Metric.LATENCY, {"service": service, "route": str(route)}
    yield Metric.LATENCY, {"service": "status_api", "route": OTHER}


def test_every_metric_is_written_with_exactly_its_dimensions(emitted):
    assert emitted == {
        (METRICS_NAMESPACE, str(name), tuple(sorted(dimensions.items())))
        for name, dimensions in expected()
    }
    assert {name for _, name, _ in emitted} == set(Metric)


def test_what_alarms_and_dashboard_look_at_is_written(emitted):
    template = synthesised("default", watched_endpoints="speech")["InferenceResults"]
    for look in (alarm_metrics, dashboard_metrics):
        looked_at = {
            (namespace, name, tuple(sorted(dimensions.items())))
            for namespace, name, dimensions in look(template)
            if namespace == METRICS_NAMESPACE
        }
        assert looked_at
        assert looked_at <= emitted


DOCUMENT = (ROOT / "docs/operations/metrics.md").read_text()


def test_the_document_names_every_metric():
    assert set(Metric) - set(re.findall(r"`(\w+)`", DOCUMENT)) == set()


def test_the_document_says_how_many_there_are():
    """API Gateway routes nothing that is no route, so no latency is another's."""
    everywhere = [each for _, each in expected() if "endpoint" not in each]
    fixed = sum(each.get("route") != OTHER for each in everywhere)
    assert f"most {fixed} metrics" in DOCUMENT
    statuses = {each["status"] for _, each in expected() if "status" in each}
    of_one_endpoint = 4 * len(statuses) + 3
    for watched in (0, 5, 20):
        assert f"= {fixed + (watched + 1) * of_one_endpoint} |" in DOCUMENT


@pytest.fixture
def record(load_handler, s3, context, capsys):
    """Settle messages; answers with what was printed."""
    handler = load_handler("record_result", synthesised("observed")["InferenceResults"])

    def record(*events):
        records = [
            {
                "messageId": f"message-{number}",
                "body": each if isinstance(each, str) else body(each),
                "attributes": {"ApproximateReceiveCount": "3"},
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
            }
            for number, each in enumerate(events)
        ]
        handler({"Records": records}, context)
        return capsys.readouterr().out

    return record


def at(endpoint, **more):
    return {"requestParameters": {"endpointName": endpoint}, **more}


def test_a_batch_is_one_line_for_each_set_of_dimensions(record):
    events = [failed(f"a-{number}", **at("speech")) for number in range(5)]
    events += [failed(f"b-{number}", **at(f"nobody-{number}")) for number in range(5)]
    output = record(*events, "not json")
    found = {each.identity[1:]: each.values for each in measured(output)}
    assert len(emf_lines(output)) == 4
    service = ("service", "record_result")
    for endpoint in ("speech", OTHER):
        dimensions = (("endpoint", endpoint), service, ("status", "Failed"))
        assert found["Results", dimensions] == (5,)
        assert len(found["InferenceTime", dimensions]) == 5
        assert len(found["PipelineLag", dimensions]) == 5
    assert len(found["PipelineLag", (service,)]) == 10
    assert found["Unprocessable", (("reason", "NotJson"), service)] == (1,)


def values(output, name, *more):
    """Of a metric by endpoint and status."""
    return [
        each.values
        for each in measured(output)
        if each.name == name and len(each.dimensions) == 1 + len(more)
    ]


BY_STATUS = ("endpoint", "status")


def test_the_time_of_an_inference_is_told_in_milliseconds(record):
    times = {"receivedTime": "2026-01-25T12:00:00Z", "eventTime": "2026-01-25T12:00:01.5Z"}
    output = record(failed("a", **times))
    assert values(output, "InferenceTime", *BY_STATUS) == [(1500,)]
    (inference_time,) = [each for each in measured(output) if each.name == "InferenceTime"]
    assert inference_time.unit == "Milliseconds"


def test_an_event_that_does_not_say_when_it_was_received_has_no_inference_time(record):
    output = record(failed("a", receivedTime=None))
    assert values(output, "InferenceTime", *BY_STATUS) == []
    assert values(output, "Results", *BY_STATUS) == [(1,)]


def test_where_clocks_disagree_no_time_is_below_zero(record):
    ahead = {"receivedTime": "9999-01-01T00:00:01Z", "eventTime": "9999-01-01T00:00:00Z"}
    output = record(failed("a", **ahead))
    assert values(output, "InferenceTime", *BY_STATUS) == [(0,)]
    assert values(output, "PipelineLag") == [(0,)]


def test_the_size_of_an_output_is_that_of_the_whole(record, s3):
    s3.put_object(Bucket="customer-outputs", Key="async/one.out", Body=b"x" * 5_000)
    output = record(completed("a"))
    assert values(output, "OutputBytes", *BY_STATUS) == [(5_000,)]
    (size,) = [each for each in measured(output) if each.name == "OutputBytes"]
    assert size.unit == "Bytes"


def test_what_was_recorded_before_is_no_result_again(record):
    record(failed("a"))
    output = record(failed("a"))
    assert {each.name for each in measured(output)} == {"Duplicate"}


def test_more_values_than_a_line_may_have_are_several_lines(capsys, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", METRICS_NAMESPACE)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "record_result")
    for number in (99, 100, 101, 250):
        measurements = InvocationMetrics()
        for value in range(number):
            measurements.add(Metric.RECORDED)
            measurements.add(Metric.PIPELINE_LAG, value)
        measurements.emit()
        found = measured(capsys.readouterr().out)
        lags = [value for each in found if each.name == "PipelineLag" for value in each.values]
        assert lags == list(range(number))
        assert [each.values for each in found if each.name == "Recorded"] == [(number,)]


def test_what_did_not_happen_is_no_line(load_handler, context, capsys):
    load_handler("publish_events")({"Records": []}, context)
    load_handler("summarize")({"Records": []}, context)
    assert capsys.readouterr().out == ""


@pytest.fixture
def clock():
    """Time stands still, but for what the handler sleeps and for what is added."""

    class Clock:
        now = 1_000.0

        def sleep(self, seconds):
            self.now += seconds

    return Clock()


@pytest.fixture
def ask(load_handler, context, clock, monkeypatch, capsys):
    """Ask for an inference in progress; answers with the latencies that were told."""
    with monkeypatch.context() as patched:
        patched.setattr("time.monotonic", lambda: clock.now)
        patched.setattr("time.sleep", clock.sleep)
        handler = load_handler("status_api")
    found = InferenceQueries.find

    def slow(self, *arguments):
        clock.now += 0.03
        return found(self, *arguments)

    monkeypatch.setattr(InferenceQueries, "find", slow)

    def ask(query):
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
        return [each.values for each in measured(capsys.readouterr().out)]

    return ask


def test_a_latency_is_that_of_the_calls_to_aws(ask):
    assert ask("id=one") == [(30,)]


def test_what_a_request_asked_to_wait_is_no_latency(ask, clock):
    began = clock.now
    ((latency,),) = ask("id=one&wait=20")
    calls = round(latency / 30)
    assert latency == pytest.approx(30 * calls)
    assert 5 < calls < 20
    assert clock.now - began > 20
