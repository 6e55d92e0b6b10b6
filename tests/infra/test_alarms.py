"""Who is told, of what, and when: alarms that cannot ring are worse than none."""

import json
import re

import pytest

from inference_results.contract import OTHER, Dimension, Metric, Service, StackOutput, Status
from infra.alarm_topic import Runbook
from tests.alarms import alarm_metrics, alarms, metrics_of
from tests.conftest import resources
from tests.infra.test_stack import actions, named, properties, statements
from tests.synthesis import ROOT, synthesised

PAGES = ROOT / "docs" / "operations" / "runbooks"

PUBLISHED = {
    "AWS/ApiGateway": {"5xx": [{"ApiId"}, {"ApiId", "Stage"}]},
    "AWS/DynamoDB": {
        metric: [{"TableName"}, {"TableName", "GlobalSecondaryIndexName"}]
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents")
    },
    "AWS/Lambda": {
        metric: [{"FunctionName"}]
        for metric in ("Errors", "Throttles", "Invocations", "IteratorAge")
    },
    "AWS/SNS": {"NumberOfNotificationsFailedToRedriveToDlq": [{"TopicName"}]},
    "AWS/SQS": {
        metric: [{"QueueName"}]
        for metric in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")
    },
    "AWS/SageMaker": {
        "ApproximateAgeOfOldestRequest": [{"EndpointName"}],
        "NotificationFailures": [{"EndpointName", "VariantName"}],
        "ExpiredRequests": [{"EndpointName", "VariantName"}],
    },
    "InferenceResults": {
        Metric.RESULTS: [{Dimension.SERVICE, Dimension.ENDPOINT, Dimension.STATUS}],
        **{
            metric: [{Dimension.SERVICE}]
            for metric in (
                Metric.RECORDED_WITH_OUTPUT_ERROR,
                Metric.LOST,
                Metric.EVENTS_REJECTED,
                Metric.MALFORMED_RECORDS,
                Metric.TASKS_DENIED,
            )
        },
    },
}
"""By namespace and name the sets of dimensions: AWS's from the pages of its documentation on
monitoring API Gateway's HTTP APIs, DynamoDB, Lambda, SNS, SQS and asynchronous endpoints."""

SECONDS_OF_A_DAY, SECONDS_OF_A_WEEK = 86_400, 604_800


@pytest.fixture(scope="module")
def watched():
    return synthesised("watched endpoints")["InferenceResults"]


@pytest.fixture(scope="module")
def customer_keys():
    return synthesised("customer keys")["InferenceResults"]


def one(template, *parts):
    """The only alarm whose logical id holds all parts."""
    (found,) = [
        alarm
        for name, alarm in alarms(template).items()
        if all(part in name for part in ("Alarms", *parts))
    ]
    return found


def runbook(alarm):
    (page,) = re.findall(
        r"Runbook: docs/operations/runbooks/([a-z-]+)\.md$", alarm["AlarmDescription"]
    )
    return page


def watched_by(template, namespace, metric, dimension):
    """The values of a dimension under which a metric has an alarm."""
    return {
        each.dimensions[dimension]
        for each in alarm_metrics(template)
        if (each.namespace, each.name) == (namespace, metric)
    }


def period(alarm):
    return (
        alarm.get("Period")
        or {each["MetricStat"]["Period"] for each in alarm["Metrics"] if "MetricStat" in each}.pop()
    )


def test_every_alarm_tells_the_topic_that_the_stack_names(watched):
    topic = watched["Outputs"][StackOutput.ALARM_TOPIC_ARN]["Value"]
    assert alarms(watched)
    for alarm in alarms(watched).values():
        assert alarm["AlarmActions"] == [topic]
        assert alarm.get("ActionsEnabled", True)


def test_nobody_is_told_that_a_new_alarm_is_well(watched):
    for alarm in alarms(watched).values():
        assert "OKActions" not in alarm
        assert "InsufficientDataActions" not in alarm


def test_every_alarm_says_what_broke_who_is_affected_and_what_to_do(watched):
    for alarm in alarms(watched).values():
        description = alarm["AlarmDescription"]
        assert len(description) <= 1024
        assert len(re.findall(r"[.;:] ", description)) >= 3, description
        assert runbook(alarm) in set(Runbook)


def test_every_runbook_is_a_page_and_has_an_alarm(watched):
    assert {runbook(alarm) for alarm in alarms(watched).values()} == set(Runbook)
    pages = {page.stem for page in PAGES.glob("*.md")} - {"README"}
    assert set(Runbook) <= pages


def test_the_index_names_every_runbook():
    index = (PAGES / "README.md").read_text()
    assert set(re.findall(r"\]\(([a-z-]+)\.md\)", index)) >= set(Runbook)


@pytest.mark.parametrize("variant", ["default", "watched endpoints", "one existing topic"])
def test_alarms_look_at_metrics_with_dimensions_that_are_published(variant):
    """CloudWatch takes any other as well, and the alarm never rings."""
    for each in alarm_metrics(synthesised(variant)["InferenceResults"]):
        assert set(each.dimensions) in PUBLISHED[each.namespace][each.name], each


def test_alarms_on_our_own_metrics_use_values_that_the_functions_emit(watched):
    own = [each for each in alarm_metrics(watched) if each.namespace == "InferenceResults"]
    for each in own:
        assert each.dimensions[Dimension.SERVICE] in set(Service)
        assert each.dimensions.get(Dimension.STATUS, OTHER) in {*Status, OTHER}
        assert each.dimensions.get(Dimension.ENDPOINT, OTHER) in {"speech", "ocr", OTHER}


def test_no_metric_is_watched_twice(watched):
    """Each is paid for. What has a threshold of its own may be: no metric has two so far."""
    found = [json.dumps(each) for each in alarm_metrics(watched)]
    assert len(found) == len(set(found))


def test_silence_is_no_alarm_but_for_the_sweep(watched):
    treated = {
        alarm.get("MetricName", "math"): alarm["TreatMissingData"]
        for alarm in alarms(watched).values()
    }
    assert treated.pop("Invocations") == "breaching"
    assert set(treated.values()) == {"notBreaching"}


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_is_watched(template, metric):
    found = set(resources(template, "AWS::Lambda::Function"))
    assert len(found) == 7
    assert watched_by(template, "AWS/Lambda", metric, "FunctionName") == found


def test_every_reader_of_the_stream_is_watched(template):
    readers = {
        each["Properties"]["FunctionName"]["Ref"]
        for each in resources(template, "AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" in each["Properties"]
    }
    assert watched_by(template, "AWS/Lambda", "IteratorAge", "FunctionName") == readers
    assert one(template, "EventPublisherLag")["Threshold"] == 15 * 60 * 1000  # IteratorAge is in ms


def test_every_queue_is_watched(template):
    """A queue with a consumer for the age of its messages, every other for having any."""
    queues = set(resources(template, "AWS::SQS::Queue"))
    consumed = {
        each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for each in resources(template, "AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" not in each["Properties"]
    }
    assert watched_by(template, "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName") == consumed
    empty = watched_by(template, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")
    assert empty == queues - consumed


def test_every_index_of_every_table_is_watched_for_throttles(template):
    tables = resources(template, "AWS::DynamoDB::GlobalTable").items()
    places = {
        (name, index)
        for name, table in tables
        for index in (
            None,
            *(each["IndexName"] for each in table["Properties"].get("GlobalSecondaryIndexes", [])),
        )
    }
    for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
        assert places == {
            (each.dimensions["TableName"], each.dimensions.get("GlobalSecondaryIndexName"))
            for each in alarm_metrics(template)
            if each.name == metric
        }


def test_an_alarm_on_dynamodb_does_not_stay_when_its_metric_falls_silent(template):
    """CloudWatch ignores missing data there, whatever the alarm says: hence the zeros."""
    for alarm in alarms(template).values():
        if any(each.namespace == "AWS/DynamoDB" for each in metrics_of(alarm)):
            ids = {each["Id"] for each in alarm["Metrics"] if "MetricStat" in each}
            (math,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
            assert set(re.findall(r"FILL\((\w+), 0\)", math)) == ids
            # Or the newest period, which may have no data yet, would hide what came before.
            assert alarm["DatapointsToAlarm"] < alarm["EvaluationPeriods"]


@pytest.mark.parametrize("minutes", [1, 5, 59, 60, 481, 1440])
def test_the_sweep_is_missed_after_three_of_its_periods_within_cloudwatchs_limits(minutes):
    template = synthesised("default", reconcile_minutes=str(minutes))["InferenceResults"]
    stopped = one(template, "ReconcileStopped")
    assert stopped["Period"] == max(minutes, 5) * 60
    assert stopped["ComparisonOperator"] == "LessThanThreshold"
    assert (stopped["Threshold"], stopped["EvaluationPeriods"]) == (1, 3)
    for alarm in alarms(template).values():
        length = period(alarm) * alarm["EvaluationPeriods"]
        assert length <= (SECONDS_OF_A_DAY if period(alarm) < 3600 else SECONDS_OF_A_WEEK)


@pytest.mark.parametrize(("minutes", "warm_up"), [(5, 15), (1440, 2880)])
def test_a_new_deployment_has_not_stopped_sweeping(minutes, warm_up):
    """The schedule calls first when its first interval is over. Two days is CloudWatch's most."""
    template = synthesised("default", reconcile_minutes=str(minutes))["InferenceResults"]
    configured = one(template, "ReconcileStopped")["WarmUpConfiguration"]
    assert configured == {"WarmUpPeriodDurationInMinutes": warm_up}


def test_thresholds_are_those_of_the_settings(watched):
    assert one(watched, "CompletedWaiting")["Threshold"] == 1200
    assert one(watched, "FailedWaiting")["Threshold"] == 1200
    assert one(watched, "speechFailures")["Threshold"] == 35
    assert one(watched, "speechRequestAge")["Threshold"] == 7200


def test_a_message_may_be_delivered_again_before_it_waits_too_long(template):
    """It is as old as the visibility timeout then, and nobody need be told."""
    queue = properties(template, "AWS::SQS::Queue", "ResultsCompletedQueue")
    assert one(template, "CompletedWaiting")["Threshold"] > 3 * queue["VisibilityTimeout"]


def rate(alarm, **counted):
    """What the expression comes to, with CloudWatch's functions; what is not given has no data."""
    (math,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    values = dict.fromkeys((each["Id"] for each in alarm["Metrics"]), 0) | counted
    functions = {
        "FILL": lambda value, instead: value,
        "IF": lambda when, then, no: then if when else no,
    }
    return eval(math, functions, values)  # noqa: S307 - an expression of our own template


@pytest.mark.parametrize(
    ("counted", "percent"),
    [
        ({"record_result_completed": 1, "record_result_failed": 1}, 0),  # too few
        ({"record_result_completed": 6, "record_result_failed": 3}, 0),
        ({"record_result_completed": 7, "record_result_failed": 3}, 30),
        ({"record_result_completed": 7, "record_result_expired": 3}, 30),
        ({"record_result_completed": 7, "reconcile_lost": 3}, 30),
        ({"reconcile_completed": 5, "record_result_other": 2, "reconcile_failed": 3}, 30),
        ({"record_result_failed": 10}, 100),
    ],
)
def test_the_failure_rate_counts_what_failed_expired_or_was_lost(watched, counted, percent):
    assert rate(one(watched, "speechFailures"), **counted) == percent


def test_an_endpoint_with_two_variants_has_one_failure_rate(watched):
    ocr = one(watched, "ocrFailures")
    assert {each.dimensions["endpoint"] for each in metrics_of(ocr)} == {"ocr"}
    assert watched_by(watched, "AWS/SageMaker", "NotificationFailures", "VariantName") == {
        "AllTraffic",
        "blue",
        "green",
    }


def test_the_most_endpoints_keep_the_limits_of_cloudwatch_and_cloudformation():
    names = ",".join(f"{number:02}{'x' * 61}" for number in range(20))
    template = synthesised("default", watched_endpoints=names)["InferenceResults"]
    for alarm in alarms(template).values():
        assert len(metrics_of(alarm)) <= 10
        assert all(len(each.get("Expression", "")) <= 2048 for each in alarm.get("Metrics", []))
        assert len(alarm["AlarmDescription"]) <= 1024
    assert len(template["Resources"]) <= 500
    assert len(json.dumps(template)) <= 1_000_000


def test_one_topic_for_both_outcomes_is_watched_once():
    template = synthesised("one existing topic")["InferenceResults"]
    assert not [name for name in alarms(template) if "QueuesFailed" in name]
    metric = "NumberOfNotificationsFailedToRedriveToDlq"
    assert watched_by(template, "AWS/SNS", metric, "TopicName") == {"all"}


def test_what_is_not_deployed_has_no_alarm():
    assert not [
        name
        for variant in ("no api", "no events")
        for name in alarms(synthesised(variant)["InferenceResults"])
        if {"no api": "Api", "no events": "PublishEvents"}[variant] in name
    ]


def test_without_alarms_there_is_no_trace_of_them():
    template = synthesised("no alarms")["InferenceResults"]
    assert not alarms(template)
    assert not [name for name in resources(template, "AWS::SNS::Topic") if "Alarms" in name]
    assert StackOutput.ALARM_TOPIC_ARN not in template["Outputs"]


def topic_of(template):
    return named(resources(template, "AWS::SNS::Topic"), "Alarms")


def test_cloudwatch_may_publish_for_this_account_and_over_tls_only(template):
    """The policy replaces the default one, which admits the account's own alarms."""
    policy = statements(template, "AWS::SNS::TopicPolicy", "Alarms")
    (allowed,) = [each for each in policy if each["Effect"] == "Allow"]
    (denied,) = [each for each in policy if each["Effect"] == "Deny"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (allowed["Action"], allowed["Resource"]) == ("sns:Publish", {"Ref": topic_of(template)})
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_addresses_are_told_by_e_mail(watched):
    told = [
        each["Properties"]["Endpoint"]
        for each in resources(watched, "AWS::SNS::Subscription").values()
        if each["Properties"]["TopicArn"] == {"Ref": topic_of(watched)}
    ]
    assert sorted(told) == ["oncall@example.com", "team@example.com"]


def test_cloudwatch_may_use_the_key_of_the_topic(customer_keys):
    """Without this the alarm's action fails, and only the alarm's history says so."""
    key = named(resources(customer_keys, "AWS::KMS::Key"), "Alarms")
    topic = properties(customer_keys, "AWS::SNS::Topic", "Alarms")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    policy = resources(customer_keys, "AWS::KMS::Key")[key]["Properties"]["KeyPolicy"]["Statement"]
    (admitted,) = [
        each for each in policy if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert set(actions(admitted)) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert admitted["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_the_documented_cost_is_that_of_the_template(template):
    """Ten cents a metric and month, in us-east-1."""
    endpoint = synthesised("default", watched_endpoints="speech")["InferenceResults"]
    count, metrics = len(alarms(template)), len(alarm_metrics(template))
    more, more_metrics = len(alarms(endpoint)) - count, len(alarm_metrics(endpoint)) - metrics
    index = " ".join((PAGES / "README.md").read_text().split())
    assert f"{count} alarms on {metrics} metrics, ${metrics / 10:.2f} a month" in index
    assert (
        f"Each watched endpoint adds {more} alarms on {more_metrics} metrics, "
        f"${more_metrics / 10:.2f} a month" in index
    )
