"""The rules in docs/guides/events.md are valid and match published events."""

import json

import pytest

from inference_results.contract import EVENT_SOURCE, DetailType
from tests.support.cloudformation import named, resources
from tests.support.rules import rules_template

BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/inference-events"
KINDS = ("a queue", "a function", "a webhook")


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return rules_template(KINDS, BUS, tmp_path_factory.mktemp("rules"))


def test_each_rule_is_on_the_bus_and_has_a_dead_letter_queue(rules):
    found = resources(rules, "AWS::Events::Rule").values()
    assert len(found) == len(KINDS)
    queue = named(resources(rules, "AWS::SQS::Queue"), "Undelivered")
    for each in found:
        assert "inference-events" in json.dumps(each["Properties"]["EventBusName"])
        (target,) = each["Properties"]["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}


def test_each_rule_matches_only_published_events(rules):
    for each in resources(rules, "AWS::Events::Rule").values():
        pattern = each["Properties"]["EventPattern"]
        assert pattern["source"] == [EVENT_SOURCE]
        for matcher in pattern["detail-type"]:
            names = [matcher] if isinstance(matcher, str) else matcher["anything-but"]
            assert set(names) <= set(DetailType)
