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
from tests.support.pools import InlinePool


@pytest.fixture
def client(aws):
    return boto3.client("stepfunctions")


@pytest.fixture
def stub(client):
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def completion(outcome, name="the-token"):
    return TaskCompletion(inference_id="one", endpoint_name="here", token=name, outcome=outcome)


SUCCESS = completion(TaskSuccess("{}"))


def complete(client, *completions, has_time=lambda: True):
    return StepFunctionsTasks(client, InlinePool()).complete(completions, has_time)


def test_a_success_sends_its_output_and_a_failure_its_error(client, stub):
    stub.add_response("send_task_success", {}, {"taskToken": "one", "output": "{}"})
    failed = {"taskToken": "two", "error": "LOST", "cause": "why"}
    stub.add_response("send_task_failure", {}, failed)
    completions = [
        completion(TaskSuccess("{}"), "one"),
        completion(TaskFailure("LOST", "why"), "two"),
    ]
    assert complete(client, *completions) == [CompletionResult.ACCEPTED, CompletionResult.ACCEPTED]


@pytest.mark.parametrize(
    ("code", "status", "result"),
    [
        ("TaskTimedOut", 400, CompletionResult.GONE),
        ("TaskDoesNotExist", 400, CompletionResult.GONE),
        ("InvalidToken", 400, CompletionResult.GONE),
        ("AccessDeniedException", 400, CompletionResult.DENIED),
        ("KmsAccessDeniedException", 400, CompletionResult.DENIED),
        ("KmsInvalidStateException", 400, CompletionResult.DENIED),
        ("InvalidOutput", 400, CompletionResult.DENIED),
        ("ValidationException", 400, CompletionResult.DENIED),
        ("ThrottlingException", 400, CompletionResult.RETRY),
        ("KmsThrottlingException", 400, CompletionResult.RETRY),
        ("ServiceUnavailable", 503, CompletionResult.RETRY),
        ("ExpiredTokenException", 400, CompletionResult.RETRY),
    ],
)
def test_an_error_decides_whether_the_completion_is_retried(client, stub, code, status, result):
    stub.add_client_error("send_task_success", code, "the-token", status)
    assert complete(client, SUCCESS) == [result]


def test_a_completion_without_a_response_is_retried(client, monkeypatch):
    def time_out(**request):
        raise ReadTimeoutError(endpoint_url="https://states")

    monkeypatch.setattr(client, "send_task_success", time_out)
    assert complete(client, SUCCESS) == [CompletionResult.RETRY]


def test_no_call_starts_when_time_is_up(client, stub):
    assert complete(client, SUCCESS, has_time=lambda: False) == [CompletionResult.RETRY]
