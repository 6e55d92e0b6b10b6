"""What the logs of every path hold, at debug level, and what they never hold."""

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
from tests.emf import emf_lines
from tests.samples import body, completed, failed

CANARY = "canary"


@pytest.fixture
def lines(log):
    """The lines of the log, parsed."""
    return lambda: [json.loads(line) for line in log.getvalue().splitlines()]


def test_no_payload_is_told_on_any_path(run_every_path, log, lines, capfd, caplog):
    """Whatever is written: by the loggers, by others, to standard output and error."""
    run_every_path()
    # Powertools' router tells of what it lets through, to a logger that keeps it to itself.
    assert not logging.getLogger("aws_lambda_powertools").propagate
    records = [each for each in caplog.records if not each.name.startswith("aws_lambda_powertools")]
    printed = capfd.readouterr()
    everything = log.getvalue() + printed.out + printed.err + str([vars(each) for each in records])
    assert CANARY not in everything
    assert_inferences_are_named(lines())
    for message in (
        "settled",
        "will be delivered again",
        "swept",
        "not announced",
        "refused by the event bus",
        "will be told again",
        "answered",
        "unavailable",
        "failed",
    ):
        assert f'"message":"{message}"' in everything


API = (Service.STATUS_API, Service.SUBMISSION_API)


def assert_inferences_are_named(lines):
    """With the request. A caller may name no endpoint, or one that is none."""
    about_one = [each for each in lines if "inference_id" in each]
    assert {each["service"] for each in about_one} == set(Service) - {Service.SUMMARIZE}
    assert all("endpoint" in each for each in about_one if each["service"] not in API)
    assert all(each["function_request_id"] for each in lines)
    of_api = [each for each in lines if each["service"] in API]
    assert {each["correlation_id"] for each in of_api} == {"api-request-1"}


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


def asking(query, request_id="api-request-1", route=Route.GET_INFERENCE_BY_QUERY):
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
def asked(table_name, aws):
    """An inference that is recorded."""
    item = {"inference_id": "one", "endpoint_name": "speech", "status": "Completed"}
    boto3.client("dynamodb").put_item(
        TableName=table_name, Item={name: {"S": value} for name, value in item.items()}
    )


def test_by_default_no_line_tells_what_went_well(
    load_logged, template, s3, asked, context, log, capsys
):
    handler = load_logged("record_result", template)
    handler(batch(body(failed("a")), "not json"), context)
    load_logged("status_api", template)(asking("id=one"), context)
    assert log.getvalue() == ""
    output = capsys.readouterr().out
    assert len(output.splitlines()) == len(emf_lines(output)) == 4


def test_a_sampled_invocation_tells_each_message(load_logged, s3, context, lines):
    load_logged("record_result")(batch(body(failed("a")), "not json"), context)
    settled, parked = sorted(lines(), key=lambda line: line["message_id"])
    assert (settled["level"], settled["message"]) == ("DEBUG", "settled")
    assert settled["message_id"] == "message-0"
    assert settled["disposition"] == "Recorded"
    assert (settled["inference_id"], settled["status"]) == ("a", "Failed")
    assert settled["endpoint"] == "diffusion-endpoint"
    assert (parked["disposition"], parked["reason"]) == ("Unprocessable", "NotJson")
    assert "inference_id" not in parked


def test_each_invocation_is_sampled_anew(load_logged, s3, context, lines, monkeypatch):
    """With messages settled by threads, whose lines are written by the handler's own."""
    handler = load_logged("record_result")
    logger = sys.modules[handler.__module__].logger
    monkeypatch.setattr(logger, "sampling_rate", "0.5")
    draws = iter([0.4, 0.6, 0.4])
    monkeypatch.setattr("random.random", lambda: next(draws))
    told = []
    for number in range(3):
        handler(batch(*(body(failed(f"{number}-{each}")) for each in range(20))), context)
        told.append(len(lines()))
    assert told == [20, 20, 40]


def test_an_answer_is_told_with_its_status_and_latency(load_logged, s3, asked, context, lines):
    handler = load_logged("status_api")
    handler(asking("id=one"), context)
    handler(asking("id=none&endpoint=speech", "api-request-2"), context)
    handler(asking("", "api-request-3", Route.GET_OPENAPI), context)
    one, none, openapi = lines()
    assert (one["message"], one["status_code"]) == ("answered", 200)
    assert (one["inference_id"], one["endpoint"]) == ("one", "speech")
    assert one["route"] == "GET /inference"
    assert one["latency_ms"] >= 0
    assert (none["status_code"], none["inference_id"], none["endpoint"]) == (404, "none", "speech")
    assert openapi["correlation_id"] == "api-request-3"
    assert not openapi.keys() & {"inference_id", "endpoint"}


def test_an_id_that_is_none_is_not_told(load_logged, s3, context, lines):
    handler = load_logged("status_api")
    assert handler(asking("id=" + "x" * 65), context)["statusCode"] == 400
    (line,) = lines()
    assert "inference_id" not in line


def test_a_message_that_comes_again_is_named_with_its_inference(
    load_logged, template, s3, context, lines, monkeypatch
):
    handler = load_logged("record_result", template)
    handler(batch(body(completed("late"))), context)

    def throttled(self, outcome):
        raise Unavailable("dynamodb", "ThrottlingException")

    monkeypatch.setattr(ResultStore, "record", throttled)
    handler(batch(body(failed("throttled"))), context)
    missing, later = lines()
    assert (missing["inference_id"], missing["endpoint"]) == ("late", "churn-endpoint")
    assert (missing["error"], missing["message_id"]) == ("ObjectMissing", "message-0")
    assert (later["inference_id"], later["endpoint"]) == ("throttled", "diffusion-endpoint")
    assert later["reason"] == "dynamodb: ThrottlingException"


def test_a_throttled_question_is_told_with_its_inference(
    load_logged, template, s3, context, lines, monkeypatch
):
    def throttled(self, *_):
        raise Unavailable("dynamodb", "ThrottlingException")

    monkeypatch.setattr(InferenceQueries, "find", throttled)
    handler = load_logged("status_api", template)
    handler(asking("id=one&endpoint=speech"), context)
    (line,) = lines()
    assert (line["level"], line["message"]) == ("WARNING", "unavailable")
    assert (line["inference_id"], line["endpoint"]) == ("one", "speech")


def test_what_lambda_logs_of_an_unexpected_error_is_its_kind(
    load_logged, template, s3, asked, context, lines, monkeypatch
):
    """Lambda writes the text of what a function raises."""

    def broken(self, *_):
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(InferenceQueries, "find", broken)
    handler = load_logged("status_api", template)
    with pytest.raises(UnexpectedError) as raised:
        handler(asking("id=one"), context)
    assert str(raised.value) == "ZeroDivisionError"
    assert raised.value.__suppress_context__
    (line,) = lines()
    assert (line["error"], line["inference_id"]) == ("ZeroDivisionError", "one")
    assert line["stack"][-1].endswith("broken")


def test_a_refusal_of_aws_is_told_by_its_code(
    load_logged, template, s3, table_name, context, lines
):
    handler = load_logged("record_result", template)
    boto3.client("dynamodb").delete_table(TableName=table_name)
    handler(batch(body(failed("one"))), context)
    (line,) = lines()
    assert (line["error"], line["code"]) == (
        "ResourceNotFoundException",
        "ResourceNotFoundException",
    )
    assert line["operation"] == "GetItem"
