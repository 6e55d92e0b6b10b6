"""submission_api and reconcile in the template."""

import json

import pytest

from inference_results.contract import SUBMISSION_ROUTES
from infra.settings import SettingsError
from tests.support.cloudformation import resources
from tests.support.synthesis import synthesised


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
    """Return the actions that a construct's role allows, with their resources as JSON."""
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


def test_by_default_submission_api_can_invoke_no_endpoint(template):
    assert set(allowed(template, SUBMITTER)) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
    }


def test_submission_api_can_invoke_the_named_endpoints_and_put_inputs(submission):
    actions = allowed(submission, SUBMITTER)
    (endpoints,) = actions["sagemaker:InvokeEndpointAsync"]
    assert endpoints.count(":endpoint/") == 2
    assert ":endpoint/speech" in endpoints
    assert ":endpoint/ocr-2" in endpoints
    (inputs,) = actions["s3:PutObject"]
    assert ":s3:::customer-inputs/async/*" in inputs
    assert "s3:GetObject" not in actions


def test_status_api_can_only_read_even_with_submissions(submission):
    assert set(allowed(submission, "StatusApiHandlerRole")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:Query",
        "dynamodb:BatchGetItem",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
    }


def test_submission_routes_invoke_submission_api(template):
    integrations = resources(template, "AWS::ApiGatewayV2::Integration")
    invokes_submitter = {}
    for route in resources(template, "AWS::ApiGatewayV2::Route").values():
        target = json.dumps(route["Properties"]["Target"])
        (integration,) = [name for name in integrations if f'"{name}"' in target]
        uri = json.dumps(integrations[integration]["Properties"]["IntegrationUri"])
        invokes_submitter[route["Properties"]["RouteKey"]] = "Submitter" in uri
        assert route["Properties"]["AuthorizationType"] == "AWS_IAM"
    assert {key for key, is_submission in invokes_submitter.items() if is_submission} == {
        "POST /inferences",
        "PUT /inferences/{inference_id}",
        "PUT /inference",
    }


def test_reconcile_can_read_one_index_and_outputs_and_update_records(template):
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


def test_reconcile_runs_every_five_minutes_for_at_most_five_minutes(template):
    (schedule,) = resources(template, "AWS::Scheduler::Schedule").values()
    assert schedule["Properties"]["ScheduleExpression"] == "rate(5 minutes)"
    assert schedule["Properties"]["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    assert function(template, "reconcile")["Timeout"] == 300
    (invoke_config,) = resources(template, "AWS::Lambda::EventInvokeConfig").values()
    assert invoke_config["Properties"]["MaximumRetryAttempts"] == 0


def test_the_interval_and_the_slack_are_settings(submission):
    (schedule,) = resources(submission, "AWS::Scheduler::Schedule").values()
    assert schedule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    reconcile = function(submission, "reconcile")
    assert reconcile["Timeout"] == 60
    assert reconcile["Environment"]["Variables"]["OVERDUE_SLACK_SECONDS"] == "60"


def test_the_schedule_role_can_only_invoke_reconcile(template):
    (statement,) = [
        each
        for name, policy in resources(template, "AWS::IAM::Policy").items()
        if "ReconcilerScheduleRole" in name
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert "Reconcile" in json.dumps(statement["Resource"])


def submission_authorization(template):
    """Return the authorization type and scopes of the submission routes."""
    return [
        (
            route["Properties"]["AuthorizationType"],
            route["Properties"].get("AuthorizationScopes"),
        )
        for route in resources(template, "AWS::ApiGatewayV2::Route").values()
        if route["Properties"]["RouteKey"] in SUBMISSION_ROUTES
    ]


def test_a_token_cannot_submit_by_default():
    template = synthesised("tokens")["InferenceResults"]
    assert submission_authorization(template) == [("AWS_IAM", None)] * 3


def test_a_token_with_a_submit_scope_can_submit():
    template = synthesised("tokens", jwt_submit_scopes="submit,admin")["InferenceResults"]
    assert submission_authorization(template) == [("JWT", ["submit", "admin"])] * 3


def test_submit_scopes_require_an_issuer():
    with pytest.raises(SettingsError, match="jwt_issuer: expected"):
        synthesised("default", jwt_submit_scopes="submit")


def test_api_concurrency_applies_to_both_functions():
    template = synthesised("default", api_concurrency="7")["InferenceResults"]
    for handler in ("status_api", "submission_api"):
        assert function(template, handler)["ReservedConcurrentExecutions"] == 7
