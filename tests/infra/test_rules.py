"""The rules that docs/guides/events.md shows are ones that CloudFormation and EventBridge take."""

import json

import pytest

from inference_results.contract import EVENT_SOURCE, DetailType
from tests.conftest import resources
from tests.infra.test_stack import named
from tests.rules import template_of

BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/inference-events"
KINDS = ("a queue", "a function", "a webhook")


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return template_of(KINDS, BUS, tmp_path_factory.mktemp("rules"))


def test_each_rule_is_on_the_bus_and_has_dead_letters(rules):
    found = resources(rules, "AWS::Events::Rule").values()
    assert len(found) == len(KINDS)
    queue = named(resources(rules, "AWS::SQS::Queue"), "Undelivered")
    for each in found:
        assert "inference-events" in json.dumps(each["Properties"]["EventBusName"])
        (target,) = each["Properties"]["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}


def test_each_rule_asks_for_what_is_announced(rules):
    for each in resources(rules, "AWS::Events::Rule").values():
        pattern = each["Properties"]["EventPattern"]
        assert pattern["source"] == [EVENT_SOURCE]
        for wanted in pattern["detail-type"]:
            names = [wanted] if isinstance(wanted, str) else wanted["anything-but"]
            assert set(names) <= set(DetailType)
