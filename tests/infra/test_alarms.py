"""Alarms cover every part, and use only metrics that exist: others would never fire."""

import json
import re

import pytest

from inference_results.contract import OTHER, Dimension, Metric, Service, StackOutput, Status
from infra.alarm_topic import Runbook
from tests.support.alarms import alarm_metrics, alarms, metrics_in
from tests.support.cloudformation import actions, named, properties, resources, statements
from tests.support.documents import RUNBOOKS
from tests.support.synthesis import synthesised

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
"""Sets of published dimensions by namespace and metric. Those of AWS are from its documentation on
monitoring API Gateway HTTP APIs, DynamoDB, Lambda, SNS, SQS and asynchronous endpoints."""

DAY_SECONDS, WEEK_SECONDS = 86_400, 604_800


@pytest.fixture(scope="module")
def watched():
    return synthesised("watched endpoints")["InferenceResults"]


@pytest.fixture(scope="module")
def customer_keys():
    return synthesised("customer keys")["InferenceResults"]


def one(template, *parts):
    """Return the only alarm whose logical id contains all parts."""
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
    """Return the values of a dimension for which a metric has an alarm."""
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


def test_every_alarm_notifies_the_topic_in_the_outputs(watched):
    topic = watched["Outputs"][StackOutput.ALARM_TOPIC_ARN]["Value"]
    assert alarms(watched)
    for alarm in alarms(watched).values():
        assert alarm["AlarmActions"] == [topic]
        assert alarm.get("ActionsEnabled", True)


def test_alarms_send_no_ok_notifications(watched):
    for alarm in alarms(watched).values():
        assert "OKActions" not in alarm
        assert "InsufficientDataActions" not in alarm


def test_every_alarm_describes_the_problem_and_its_runbook(watched):
    for alarm in alarms(watched).values():
        description = alarm["AlarmDescription"]
        assert len(description) <= 1024
        assert len(re.findall(r"[.;:] ", description)) >= 3, description
        assert runbook(alarm) in set(Runbook)


def test_every_runbook_has_a_page_and_an_alarm(watched):
    assert {runbook(alarm) for alarm in alarms(watched).values()} == set(Runbook)
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert set(Runbook) <= pages


def test_the_index_names_every_runbook():
    index = (RUNBOOKS / "README.md").read_text()
    assert set(re.findall(r"\]\(([a-z-]+)\.md\)", index)) >= set(Runbook)


@pytest.mark.parametrize("variant", ["default", "watched endpoints", "one existing topic"])
def test_alarms_use_only_published_dimensions(variant):
    """CloudWatch accepts other dimensions too, but the alarm would never fire."""
    for each in alarm_metrics(synthesised(variant)["InferenceResults"]):
        assert set(each.dimensions) in PUBLISHED[each.namespace][each.name], each


def test_alarms_on_our_metrics_use_values_that_the_functions_emit(watched):
    own = [each for each in alarm_metrics(watched) if each.namespace == "InferenceResults"]
    for each in own:
        assert each.dimensions[Dimension.SERVICE] in set(Service)
        assert each.dimensions.get(Dimension.STATUS, OTHER) in {*Status, OTHER}
        assert each.dimensions.get(Dimension.ENDPOINT, OTHER) in {"speech", "ocr", OTHER}


def test_no_metric_has_two_alarms(watched):
    """Each metric of an alarm costs money, and none needs two thresholds so far."""
    found = [json.dumps(each) for each in alarm_metrics(watched)]
    assert len(found) == len(set(found))


def test_missing_data_is_breaching_only_for_reconcile(watched):
    treatments = {
        alarm.get("MetricName", "math"): alarm["TreatMissingData"]
        for alarm in alarms(watched).values()
    }
    assert treatments.pop("Invocations") == "breaching"
    assert set(treatments.values()) == {"notBreaching"}


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_has_alarms(template, metric):
    found = set(resources(template, "AWS::Lambda::Function"))
    assert len(found) == 7
    assert watched_by(template, "AWS/Lambda", metric, "FunctionName") == found


def test_every_stream_reader_has_a_lag_alarm(template):
    readers = {
        each["Properties"]["FunctionName"]["Ref"]
        for each in resources(template, "AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" in each["Properties"]
    }
    assert watched_by(template, "AWS/Lambda", "IteratorAge", "FunctionName") == readers
    assert one(template, "EventPublisherLag")["Threshold"] == 15 * 60 * 1000  # IteratorAge is in ms


def test_every_queue_has_an_alarm(template):
    """Queues with a consumer have an alarm on message age, the others on message count."""
    queues = set(resources(template, "AWS::SQS::Queue"))
    consumed = {
        each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for each in resources(template, "AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" not in each["Properties"]
    }
    assert watched_by(template, "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName") == consumed
    empty = watched_by(template, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")
    assert empty == queues - consumed


def test_every_table_and_index_has_a_throttle_alarm(template):
    tables = resources(template, "AWS::DynamoDB::GlobalTable").items()
    expected = {
        (name, index)
        for name, table in tables
        for index in (
            None,
            *(each["IndexName"] for each in table["Properties"].get("GlobalSecondaryIndexes", [])),
        )
    }
    for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
        assert expected == {
            (each.dimensions["TableName"], each.dimensions.get("GlobalSecondaryIndexName"))
            for each in alarm_metrics(template)
            if each.name == metric
        }


def test_a_dynamodb_alarm_returns_to_ok_without_data(template):
    """CloudWatch ignores missing data of DynamoDB, so metric math fills in zeros."""
    for alarm in alarms(template).values():
        if any(each.namespace == "AWS/DynamoDB" for each in metrics_in(alarm)):
            ids = {each["Id"] for each in alarm["Metrics"] if "MetricStat" in each}
            (math,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
            assert set(re.findall(r"FILL\((\w+), 0\)", math)) == ids
            # The newest period may have no data yet, and must not hide the earlier ones.
            assert alarm["DatapointsToAlarm"] < alarm["EvaluationPeriods"]


@pytest.mark.parametrize("minutes", [1, 5, 59, 60, 481, 1440])
def test_a_stopped_reconcile_alarms_after_three_periods_within_cloudwatch_limits(minutes):
    template = synthesised("default", reconcile_minutes=str(minutes))["InferenceResults"]
    stopped = one(template, "ReconcileStopped")
    assert stopped["Period"] == max(minutes, 5) * 60
    assert stopped["ComparisonOperator"] == "LessThanThreshold"
    assert (stopped["Threshold"], stopped["EvaluationPeriods"]) == (1, 3)
    for alarm in alarms(template).values():
        length = period(alarm) * alarm["EvaluationPeriods"]
        assert length <= (DAY_SECONDS if period(alarm) < 3600 else WEEK_SECONDS)


@pytest.mark.parametrize(("minutes", "warm_up"), [(5, 15), (1440, 2880)])
def test_the_reconcile_alarm_warms_up_after_a_deployment(minutes, warm_up):
    """The first run follows the first interval. CloudWatch allows two days at most."""
    template = synthesised("default", reconcile_minutes=str(minutes))["InferenceResults"]
    configured = one(template, "ReconcileStopped")["WarmUpConfiguration"]
    assert configured == {"WarmUpPeriodDurationInMinutes": warm_up}


def test_thresholds_come_from_the_settings(watched):
    assert one(watched, "CompletedWaiting")["Threshold"] == 1200
    assert one(watched, "FailedWaiting")["Threshold"] == 1200
    assert one(watched, "speechFailures")["Threshold"] == 35
    assert one(watched, "speechRequestAge")["Threshold"] == 7200


def test_two_redeliveries_do_not_raise_the_waiting_alarm(template):
    """At its third receive, a message is twice as old as the visibility timeout."""
    queue = properties(template, "AWS::SQS::Queue", "ResultsCompletedQueue")
    assert one(template, "CompletedWaiting")["Threshold"] > 3 * queue["VisibilityTimeout"]


def rate(alarm, **counts):
    """Evaluate an alarm's expression. Metrics without a count have no data."""
    (math,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    values = dict.fromkeys((each["Id"] for each in alarm["Metrics"]), 0) | counts
    functions = {
        "FILL": lambda value, default: value,
        "IF": lambda condition, value, otherwise: value if condition else otherwise,
    }
    return eval(math, functions, values)  # noqa: S307 - an expression from our template


@pytest.mark.parametrize(
    ("counts", "percent"),
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
def test_the_failure_rate_counts_failed_expired_and_lost_results(watched, counts, percent):
    assert rate(one(watched, "speechFailures"), **counts) == percent


def test_an_endpoint_with_two_variants_has_one_failure_rate(watched):
    ocr = one(watched, "ocrFailures")
    assert {each.dimensions["endpoint"] for each in metrics_in(ocr)} == {"ocr"}
    assert watched_by(watched, "AWS/SageMaker", "NotificationFailures", "VariantName") == {
        "AllTraffic",
        "blue",
        "green",
    }


def test_the_maximum_of_watched_endpoints_stays_within_aws_limits():
    names = ",".join(f"{number:02}{'x' * 61}" for number in range(20))
    template = synthesised("default", watched_endpoints=names)["InferenceResults"]
    for alarm in alarms(template).values():
        assert len(metrics_in(alarm)) <= 10
        assert all(len(each.get("Expression", "")) <= 2048 for each in alarm.get("Metrics", []))
        assert len(alarm["AlarmDescription"]) <= 1024
    assert len(template["Resources"]) <= 500
    assert len(json.dumps(template)) <= 1_000_000


def test_one_topic_for_both_outcomes_has_one_set_of_alarms():
    template = synthesised("one existing topic")["InferenceResults"]
    assert not [name for name in alarms(template) if "QueuesFailed" in name]
    metric = "NumberOfNotificationsFailedToRedriveToDlq"
    assert watched_by(template, "AWS/SNS", metric, "TopicName") == {"all"}


def test_parts_that_are_not_deployed_have_no_alarms():
    assert not [
        name
        for variant in ("no api", "no events")
        for name in alarms(synthesised(variant)["InferenceResults"])
        if {"no api": "Api", "no events": "PublishEvents"}[variant] in name
    ]


def test_alarms_false_removes_the_alarms_and_their_topic():
    template = synthesised("no alarms")["InferenceResults"]
    assert not alarms(template)
    assert not [name for name in resources(template, "AWS::SNS::Topic") if "Alarms" in name]
    assert StackOutput.ALARM_TOPIC_ARN not in template["Outputs"]


def alarm_topic(template):
    return named(resources(template, "AWS::SNS::Topic"), "Alarms")


def test_only_cloudwatch_of_this_account_can_publish_and_only_over_tls(template):
    """The policy replaces the default one, which allows the account's own alarms."""
    policy = statements(template, "AWS::SNS::TopicPolicy", "Alarms")
    (allowed,) = [each for each in policy if each["Effect"] == "Allow"]
    (denied,) = [each for each in policy if each["Effect"] == "Deny"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (allowed["Action"], allowed["Resource"]) == (
        "sns:Publish",
        {"Ref": alarm_topic(template)},
    )
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarm_emails_are_subscribed_to_the_alarm_topic(watched):
    subscribed = [
        each["Properties"]["Endpoint"]
        for each in resources(watched, "AWS::SNS::Subscription").values()
        if each["Properties"]["TopicArn"] == {"Ref": alarm_topic(watched)}
    ]
    assert sorted(subscribed) == ["oncall@example.com", "team@example.com"]


def test_cloudwatch_can_use_the_alarm_key(customer_keys):
    """Without this, the alarm's action fails, which only the alarm's history shows."""
    key = named(resources(customer_keys, "AWS::KMS::Key"), "Alarms")
    topic = properties(customer_keys, "AWS::SNS::Topic", "Alarms")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    policy = resources(customer_keys, "AWS::KMS::Key")[key]["Properties"]["KeyPolicy"]["Statement"]
    (allowed,) = [
        each for each in policy if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert set(actions(allowed)) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_the_documented_cost_matches_the_template(template):
    """A metric of an alarm costs $0.10 a month in us-east-1."""
    endpoint = synthesised("default", watched_endpoints="speech")["InferenceResults"]
    count, metrics = len(alarms(template)), len(alarm_metrics(template))
    more, more_metrics = len(alarms(endpoint)) - count, len(alarm_metrics(endpoint)) - metrics
    index = " ".join((RUNBOOKS / "README.md").read_text().split())
    assert f"{count} alarms on {metrics} metrics, ${metrics / 10:.2f} a month" in index
    assert (
        f"Each watched endpoint adds {more} alarms on {more_metrics} metrics, "
        f"${more_metrics / 10:.2f} a month" in index
    )
