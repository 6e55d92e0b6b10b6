"""The handlers' log lines, and the texts that no path ever logs, even at debug level."""

import json
import logging
import sys

import boto3
import pytest

from functions.telemetry.log_fields import UnexpectedError
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.contract import Route, Service
from inference_results.domain.record.errors import Unavailable
from tests.support.emf import emf_lines
from tests.support.samples import body, completed, failed

CANARY = "canary"


@pytest.fixture
def lines(log):
    """Return a function that parses the log lines."""
    return lambda: [json.loads(line) for line in log.getvalue().splitlines()]


def test_no_path_logs_a_payload(run_every_path, log, lines, capfd, caplog):
    """Not in a function's log, another logger's, standard output or standard error."""
    run_every_path()
    # Powertools' router logs requests as well, but its logger discards everything.
    assert not logging.getLogger("aws_lambda_powertools").propagate
    records = [each for each in caplog.records if not each.name.startswith("aws_lambda_powertools")]
    printed = capfd.readouterr()
    output = log.getvalue() + printed.out + printed.err + str([vars(each) for each in records])
    assert CANARY not in output
    assert_lines_identify_inferences(lines())
    for message in (
        "message processed",
        "message returned to the queue",
        "record reconciled",
        "event not published",
        "event rejected by the event bus",
        "events returned to the stream",
        "request handled",
        "service unavailable",
        "unexpected error",
    ):
        assert f'"message":"{message}"' in output


API = (Service.STATUS_API, Service.SUBMISSION_API)


def assert_lines_identify_inferences(lines):
    """Lines of the API can lack the endpoint: a request can omit it, or have an invalid one."""
    about_inferences = [each for each in lines if "inference_id" in each]
    assert {each["service"] for each in about_inferences} == set(Service) - {Service.SUMMARIZE}
    assert all("endpoint" in each for each in about_inferences if each["service"] not in API)
    assert all(each["function_request_id"] for each in lines)
    api_lines = [each for each in lines if each["service"] in API]
    assert {each["correlation_id"] for each in api_lines} == {"api-request-1"}


def batch(*bodies):
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "body": each,
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:completed",
            }
            for number, each in enumerate(bodies)
        ]
    }


def api_request(query, request_id="api-request-1", route=Route.GET_INFERENCE_BY_QUERY):
    method, path = route.split(" ")
    return {
        "routeKey": str(route),
        "rawPath": path,
        "rawQueryString": query,
        "headers": {},
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "requestId": request_id,
        },
    }


@pytest.fixture
def recorded(table_name, aws):
    """Put a record into the table."""
    item = {"inference_id": "one", "endpoint_name": "speech", "status": "Completed"}
    boto3.client("dynamodb").put_item(
        TableName=table_name, Item={name: {"S": value} for name, value in item.items()}
    )


def test_success_logs_only_metrics_by_default(
    load_with_log, template, s3, recorded, context, log, capsys
):
    handler = load_with_log("record_result", template)
    handler(batch(body(failed("a")), "not json"), context)
    load_with_log("status_api", template)(api_request("id=one"), context)
    assert log.getvalue() == ""
    output = capsys.readouterr().out
    assert len(output.splitlines()) == len(emf_lines(output)) == 4


def test_a_sampled_invocation_logs_each_message(load_with_log, s3, context, lines):
    load_with_log("record_result")(batch(body(failed("a")), "not json"), context)
    processed, rejected = sorted(lines(), key=lambda line: line["message_id"])
    assert (processed["level"], processed["message"]) == ("DEBUG", "message processed")
    assert processed["message_id"] == "message-0"
    assert processed["disposition"] == "Recorded"
    assert (processed["inference_id"], processed["status"]) == ("a", "Failed")
    assert processed["endpoint"] == "diffusion-endpoint"
    assert (rejected["disposition"], rejected["reason"]) == ("Unprocessable", "NotJson")
    assert "inference_id" not in rejected


def test_each_invocation_is_sampled_separately(load_with_log, s3, context, lines, monkeypatch):
    """Threads process the messages; the lines of all of them follow the invocation's sampling."""
    handler = load_with_log("record_result")
    logger = sys.modules[handler.__module__].logger
    monkeypatch.setattr(logger, "sampling_rate", "0.5")
    random_values = iter([0.4, 0.6, 0.4])
    monkeypatch.setattr("random.random", lambda: next(random_values))
    line_counts = []
    for number in range(3):
        handler(batch(*(body(failed(f"{number}-{each}")) for each in range(20))), context)
        line_counts.append(len(lines()))
    assert line_counts == [20, 20, 40]


def test_a_request_is_logged_with_its_status_code_and_latency(
    load_with_log, s3, recorded, context, lines
):
    handler = load_with_log("status_api")
    handler(api_request("id=one"), context)
    handler(api_request("id=unknown&endpoint=speech", "api-request-2"), context)
    handler(api_request("", "api-request-3", Route.GET_OPENAPI), context)
    one, unknown, openapi = lines()
    assert (one["message"], one["status_code"]) == ("request handled", 200)
    assert (one["inference_id"], one["endpoint"]) == ("one", "speech")
    assert one["route"] == "GET /inference"
    assert one["latency_ms"] >= 0
    assert unknown["status_code"] == 404
    assert (unknown["inference_id"], unknown["endpoint"]) == ("unknown", "speech")
    assert openapi["correlation_id"] == "api-request-3"
    assert not openapi.keys() & {"inference_id", "endpoint"}


def test_an_invalid_id_is_not_logged(load_with_log, s3, context, lines):
    handler = load_with_log("status_api")
    assert handler(api_request("id=" + "x" * 65), context)["statusCode"] == 400
    (line,) = lines()
    assert "inference_id" not in line


def test_a_returned_message_is_logged_with_its_inference(
    load_with_log, template, s3, context, lines, monkeypatch
):
    handler = load_with_log("record_result", template)
    handler(batch(body(completed("late"))), context)

    def throttled(self, result):
        raise Unavailable("dynamodb", "ThrottlingException")

    monkeypatch.setattr(ResultStore, "record", throttled)
    handler(batch(body(failed("throttled"))), context)
    missing, unavailable = lines()
    assert (missing["inference_id"], missing["endpoint"]) == ("late", "churn-endpoint")
    assert (missing["error"], missing["message_id"]) == ("ObjectMissing", "message-0")
    assert unavailable["inference_id"] == "throttled"
    assert unavailable["endpoint"] == "diffusion-endpoint"
    assert unavailable["reason"] == "dynamodb: ThrottlingException"


def test_a_throttled_request_is_logged_with_its_inference(
    load_with_log, template, s3, context, lines, monkeypatch
):
    def throttled(self, *_):
        raise Unavailable("dynamodb", "ThrottlingException")

    monkeypatch.setattr(InferenceQueries, "find", throttled)
    handler = load_with_log("status_api", template)
    handler(api_request("id=one&endpoint=speech"), context)
    (line,) = lines()
    assert (line["level"], line["message"]) == ("WARNING", "service unavailable")
    assert (line["inference_id"], line["endpoint"]) == ("one", "speech")


def test_an_unexpected_error_is_raised_without_its_text(
    load_with_log, template, s3, recorded, context, lines, monkeypatch
):
    """Lambda logs the text of the exceptions that a function raises."""

    def broken(self, *_):
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(InferenceQueries, "find", broken)
    handler = load_with_log("status_api", template)
    with pytest.raises(UnexpectedError) as raised:
        handler(api_request("id=one"), context)
    assert str(raised.value) == "ZeroDivisionError"
    assert raised.value.__suppress_context__
    (line,) = lines()
    assert (line["error"], line["inference_id"]) == ("ZeroDivisionError", "one")
    assert line["stack"][-1].endswith("broken")


def test_an_aws_error_is_logged_with_its_code_and_operation(
    load_with_log, template, s3, table_name, context, lines
):
    handler = load_with_log("record_result", template)
    boto3.client("dynamodb").delete_table(TableName=table_name)
    handler(batch(body(failed("one"))), context)
    (line,) = lines()
    assert (line["error"], line["code"]) == (
        "ResourceNotFoundException",
        "ResourceNotFoundException",
    )
    assert line["operation"] == "GetItem"
