"""What the template lets people see: which endpoints, how often at length, and traces."""

import json
import re

import pytest

from tests.conftest import resources
from tests.synthesis import synthesised

TOLD = {
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
"""Of a request: who asked which route, and how that went. No path, query, header or body."""


@pytest.fixture(scope="module")
def observed():
    return synthesised("observed")["InferenceResults"]


def functions(template):
    """Properties by the name of the handler."""
    return {
        each["Properties"]["Handler"].split(".")[1]: each["Properties"]
        for each in resources(template, "AWS::Lambda::Function").values()
        if each["Properties"]["Handler"].startswith("functions.")
    }


def variable(template, name):
    """Its value for each function that has it."""
    variables = {
        service: each["Environment"]["Variables"] for service, each in functions(template).items()
    }
    return {service: each[name] for service, each in variables.items() if name in each}


def test_functions_that_tell_of_endpoints_know_which_ones_by_name(template, observed):
    watched = variable(observed, "WATCHED_ENDPOINTS")
    assert {name: json.loads(each) for name, each in watched.items()} == {
        "record_result": ["speech", "vision"],
        "reconcile": ["speech", "vision"],
    }
    assert set(variable(template, "WATCHED_ENDPOINTS").values()) == {"[]"}


def test_an_endpoint_with_two_watched_variants_is_one_name():
    two = synthesised("default", watched_endpoints="speech/blue,speech/green")
    watched = variable(two["InferenceResults"], "WATCHED_ENDPOINTS")
    assert watched["record_result"] == '["speech"]'


def test_no_invocation_is_sampled_unless_the_setting_says_so(template, observed):
    assert variable(template, "POWERTOOLS_LOGGER_SAMPLE_RATE") == {}
    rates = variable(observed, "POWERTOOLS_LOGGER_SAMPLE_RATE")
    assert rates == dict.fromkeys(functions(observed), "0.01")


def xray(template):
    """The roles that may write traces."""
    return [
        name
        for name, each in resources(template, "AWS::IAM::Policy").items()
        if "xray:PutTraceSegments" in json.dumps(each)
    ]


def test_nothing_is_traced_unless_the_setting_says_so(template):
    assert xray(template) == []
    assert not any("TracingConfig" in each for each in functions(template).values())


def test_every_function_is_traced_where_the_setting_says_so(observed):
    found = functions(observed).values()
    assert {each["TracingConfig"]["Mode"] for each in found} == {"Active"}
    assert len(xray(observed)) == len(resources(observed, "AWS::Lambda::Function"))


@pytest.mark.parametrize("variant", ["default", "tokens"])
def test_the_access_log_tells_nothing_of_what_was_asked(variant):
    template = synthesised(variant)["InferenceResults"]
    (stage,) = resources(template, "AWS::ApiGatewayV2::Stage").values()
    named = re.findall(r"\$context\.([\w.]+)", stage["Properties"]["AccessLogSettings"]["Format"])
    assert set(named) == TOLD
    assert "$input" not in stage["Properties"]["AccessLogSettings"]["Format"]
