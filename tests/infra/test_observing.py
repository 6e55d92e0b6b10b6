"""Watched endpoints, debug logs, traces and access logs in the template."""

import json
import re

import pytest

from tests.support.cloudformation import resources
from tests.support.synthesis import synthesised

LOGGED = {
    "requestId",
    "requestTime",
    "identity.caller",
    "authorizer.claims.sub",
    "authorizer.error",
    "routeKey",
    "status",
    "responseLatency",
    "integrationErrorMessage",
}
"""The fields of the access log: caller, route and result, without path, query, header or body."""


@pytest.fixture(scope="module")
def observed():
    return synthesised("observed")["InferenceResults"]


def functions(template):
    """Return the properties of the functions by service."""
    return {
        each["Properties"]["Handler"].split(".")[1]: each["Properties"]
        for each in resources(template, "AWS::Lambda::Function").values()
        if each["Properties"]["Handler"].startswith("functions.")
    }


def variable(template, name):
    """Return the value of an environment variable by service, where it is set."""
    variables = {
        service: each["Environment"]["Variables"] for service, each in functions(template).items()
    }
    return {service: each[name] for service, each in variables.items() if name in each}


def test_functions_with_endpoint_metrics_know_the_watched_endpoints(template, observed):
    watched = variable(observed, "WATCHED_ENDPOINTS")
    assert {name: json.loads(each) for name, each in watched.items()} == {
        "record_result": ["speech", "vision"],
        "reconcile": ["speech", "vision"],
    }
    assert set(variable(template, "WATCHED_ENDPOINTS").values()) == {"[]"}


def test_an_endpoint_with_two_watched_variants_is_named_once():
    two = synthesised("default", watched_endpoints="speech/blue,speech/green")
    watched = variable(two["InferenceResults"], "WATCHED_ENDPOINTS")
    assert watched["record_result"] == '["speech"]'


def test_debug_logs_are_sampled_only_if_the_setting_says_so(template, observed):
    assert variable(template, "POWERTOOLS_LOGGER_SAMPLE_RATE") == {}
    rates = variable(observed, "POWERTOOLS_LOGGER_SAMPLE_RATE")
    assert rates == dict.fromkeys(functions(observed), "0.01")


def xray(template):
    """Return the policies that allow writing traces."""
    return [
        name
        for name, each in resources(template, "AWS::IAM::Policy").items()
        if "xray:PutTraceSegments" in json.dumps(each)
    ]


def test_functions_are_not_traced_by_default(template):
    assert xray(template) == []
    assert not any("TracingConfig" in each for each in functions(template).values())


def test_the_tracing_setting_traces_every_function(observed):
    found = functions(observed).values()
    assert {each["TracingConfig"]["Mode"] for each in found} == {"Active"}
    assert len(xray(observed)) == len(resources(observed, "AWS::Lambda::Function"))


@pytest.mark.parametrize("variant", ["default", "tokens"])
def test_the_access_log_contains_no_payload_or_query(variant):
    template = synthesised(variant)["InferenceResults"]
    (stage,) = resources(template, "AWS::ApiGatewayV2::Stage").values()
    named = re.findall(r"\$context\.([\w.]+)", stage["Properties"]["AccessLogSettings"]["Format"])
    assert set(named) == LOGGED
    assert "$input" not in stage["Properties"]["AccessLogSettings"]["Format"]
