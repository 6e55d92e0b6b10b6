import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from inference_results.adapters.stepfunctions import StepFunctionsTasks
from inference_results.domain.changes.complete_tasks import CompletionResult
from inference_results.domain.changes.task_completions import (
    TaskCompletion,
    TaskFailure,
    TaskSuccess,
)
from tests.pools import InlinePool


@pytest.fixture
def client(aws):
    return boto3.client("stepfunctions")


@pytest.fixture
def stub(client):
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def answer(outcome, name="the-token"):
    return TaskCompletion(inference_id="one", endpoint_name="here", token=name, outcome=outcome)


SUCCESS = answer(TaskSuccess("{}"))


def answered(client, *answers, may_begin=lambda: True):
    return StepFunctionsTasks(client, InlinePool()).answer(answers, may_begin)


def test_a_success_is_told_with_its_output_and_a_failure_with_its_error(client, stub):
    stub.add_response("send_task_success", {}, {"taskToken": "one", "output": "{}"})
    failed = {"taskToken": "two", "error": "LOST", "cause": "why"}
    stub.add_response("send_task_failure", {}, failed)
    answers = [answer(TaskSuccess("{}"), "one"), answer(TaskFailure("LOST", "why"), "two")]
    assert answered(client, *answers) == [CompletionResult.TAKEN, CompletionResult.TAKEN]


@pytest.mark.parametrize(
    ("code", "status", "reply"),
    [
        ("TaskTimedOut", 400, CompletionResult.GONE),
        ("TaskDoesNotExist", 400, CompletionResult.GONE),
        ("InvalidToken", 400, CompletionResult.GONE),
        ("AccessDeniedException", 400, CompletionResult.DENIED),
        ("KmsAccessDeniedException", 400, CompletionResult.DENIED),
        ("KmsInvalidStateException", 400, CompletionResult.DENIED),
        ("InvalidOutput", 400, CompletionResult.DENIED),
        ("ValidationException", 400, CompletionResult.DENIED),
        ("ThrottlingException", 400, CompletionResult.NOT_NOW),
        ("KmsThrottlingException", 400, CompletionResult.NOT_NOW),
        ("ServiceUnavailable", 503, CompletionResult.NOT_NOW),
        ("ExpiredTokenException", 400, CompletionResult.NOT_NOW),
    ],
)
def test_an_error_tells_whether_the_task_may_be_answered_later(client, stub, code, status, reply):
    stub.add_client_error("send_task_success", code, "the-token", status)
    assert answered(client, SUCCESS) == [reply]


def test_a_task_that_step_functions_did_not_confirm_may_be_answered_later(client, monkeypatch):
    def silent(**request):
        raise ReadTimeoutError(endpoint_url="https://states")

    monkeypatch.setattr(client, "send_task_success", silent)
    assert answered(client, SUCCESS) == [CompletionResult.NOT_NOW]


def test_nothing_is_begun_when_the_time_is_up(client, stub):
    assert answered(client, SUCCESS, may_begin=lambda: False) == [CompletionResult.NOT_NOW]
