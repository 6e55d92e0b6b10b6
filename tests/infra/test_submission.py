"""What submitters reach, and what ends what is overdue."""

import json

import pytest

from inference_results.contract import SUBMISSION_ROUTES
from infra.settings import SettingsError
from tests.conftest import resources
from tests.synthesis import synthesised


@pytest.fixture(scope="module")
def submission():
    return synthesised("submission")["InferenceResults"]


def function(template, handler):
    (found,) = [
        each["Properties"]
        for each in resources(template, "AWS::Lambda::Function").values()
        if each["Properties"]["Handler"] == f"functions.{handler}.handler"
    ]
    return found


def allowed(template, construct):
    """The actions that a function's role allows, with their resources as text."""
    (policy,) = [
        each["Properties"]["PolicyDocument"]["Statement"]
        for name, each in resources(template, "AWS::IAM::Policy").items()
        if construct in name
    ]
    found = {}
    for statement in policy:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            found.setdefault(action, []).append(json.dumps(statement["Resource"]))
    return found


SUBMITTER = "SubmitterSubmissionApiRole"
RECONCILER = "ReconcilerReconcileRole"


def test_by_default_the_submitter_may_invoke_nothing(template):
    assert set(allowed(template, SUBMITTER)) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
    }


def test_the_submitter_may_invoke_the_named_endpoints_and_put_inputs(submission):
    actions = allowed(submission, SUBMITTER)
    (endpoints,) = actions["sagemaker:InvokeEndpointAsync"]
    assert endpoints.count(":endpoint/") == 2
    assert ":endpoint/speech" in endpoints
    assert ":endpoint/ocr-2" in endpoints
    (inputs,) = actions["s3:PutObject"]
    assert ":s3:::customer-inputs/async/*" in inputs
    assert "s3:GetObject" not in actions


def test_the_function_that_answers_questions_may_still_only_read(submission):
    assert set(allowed(submission, "StatusApiHandlerRole")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:Query",
        "dynamodb:BatchGetItem",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
    }


def test_routes_that_write_lead_to_the_submitter(template):
    integrations = resources(template, "AWS::ApiGatewayV2::Integration")
    led_to = {}
    for route in resources(template, "AWS::ApiGatewayV2::Route").values():
        target = json.dumps(route["Properties"]["Target"])
        (integration,) = [name for name in integrations if f'"{name}"' in target]
        uri = json.dumps(integrations[integration]["Properties"]["IntegrationUri"])
        led_to[route["Properties"]["RouteKey"]] = "Submitter" in uri
        assert route["Properties"]["AuthorizationType"] == "AWS_IAM"
    assert {key for key, writes in led_to.items() if writes} == {
        "POST /inferences",
        "PUT /inferences/{inference_id}",
        "PUT /inference",
    }


def test_the_sweeper_reads_one_index_and_the_outputs_and_writes_records(template):
    actions = allowed(template, RECONCILER)
    assert set(actions) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "s3:GetObject",
        "s3:ListBucket",
    }
    (index,) = actions["dynamodb:Query"]
    assert "/index/by-status" in index


def test_the_sweep_is_called_every_five_minutes_and_may_run_as_long(template):
    (schedule,) = resources(template, "AWS::Scheduler::Schedule").values()
    assert schedule["Properties"]["ScheduleExpression"] == "rate(5 minutes)"
    assert schedule["Properties"]["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    assert function(template, "reconcile")["Timeout"] == 300
    (invoke_config,) = resources(template, "AWS::Lambda::EventInvokeConfig").values()
    assert invoke_config["Properties"]["MaximumRetryAttempts"] == 0


def test_the_schedule_and_the_slack_are_settings(submission):
    (schedule,) = resources(submission, "AWS::Scheduler::Schedule").values()
    assert schedule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    sweep = function(submission, "reconcile")
    assert sweep["Timeout"] == 60
    assert sweep["Environment"]["Variables"]["OVERDUE_SLACK_SECONDS"] == "60"


def test_the_caller_of_the_sweep_may_do_nothing_else(template):
    (statement,) = [
        each
        for name, policy in resources(template, "AWS::IAM::Policy").items()
        if "ReconcilerCaller" in name
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert "Reconcile" in json.dumps(statement["Resource"])


def writing(template):
    """How the routes that write are authorized, and with which scopes."""
    return [
        (
            route["Properties"]["AuthorizationType"],
            route["Properties"].get("AuthorizationScopes"),
        )
        for route in resources(template, "AWS::ApiGatewayV2::Route").values()
        if route["Properties"]["RouteKey"] in SUBMISSION_ROUTES
    ]


def test_a_token_that_may_ask_may_not_submit():
    template = synthesised("tokens")["InferenceResults"]
    assert writing(template) == [("AWS_IAM", None)] * 3


def test_a_token_with_a_scope_of_the_settings_may_submit():
    template = synthesised("tokens", jwt_submit_scopes="submit,admin")["InferenceResults"]
    assert writing(template) == [("JWT", ["submit", "admin"])] * 3


def test_scopes_need_an_issuer():
    with pytest.raises(SettingsError, match="jwt_issuer: expected"):
        synthesised("default", jwt_submit_scopes="submit")


def test_a_limit_of_the_api_holds_both_of_its_functions():
    template = synthesised("default", api_concurrency="7")["InferenceResults"]
    for handler in ("status_api", "submission_api"):
        assert function(template, handler)["ReservedConcurrentExecutions"] == 7
