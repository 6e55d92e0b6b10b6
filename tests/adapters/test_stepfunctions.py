import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from inference_results.adapters.stepfunctions import WaitingTasks
from inference_results.domain.answering import Reply
from inference_results.domain.task_answer import Failure, Success, TaskAnswer
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
    return TaskAnswer(inference_id="one", endpoint_name="here", token=name, outcome=outcome)


SUCCESS = answer(Success("{}"))


def answered(client, *answers, may_begin=lambda: True):
    return WaitingTasks(client, InlinePool()).answer(answers, may_begin)


def test_a_success_is_told_with_its_output_and_a_failure_with_its_error(client, stub):
    stub.add_response("send_task_success", {}, {"taskToken": "one", "output": "{}"})
    failed = {"taskToken": "two", "error": "LOST", "cause": "why"}
    stub.add_response("send_task_failure", {}, failed)
    answers = [answer(Success("{}"), "one"), answer(Failure("LOST", "why"), "two")]
    assert answered(client, *answers) == [Reply.TAKEN, Reply.TAKEN]


@pytest.mark.parametrize(
    ("code", "status", "reply"),
    [
        ("TaskTimedOut", 400, Reply.GONE),
        ("TaskDoesNotExist", 400, Reply.GONE),
        ("InvalidToken", 400, Reply.GONE),
        ("AccessDeniedException", 400, Reply.DENIED),
        ("KmsAccessDeniedException", 400, Reply.DENIED),
        ("KmsInvalidStateException", 400, Reply.DENIED),
        ("InvalidOutput", 400, Reply.DENIED),
        ("ValidationException", 400, Reply.DENIED),
        ("ThrottlingException", 400, Reply.NOT_NOW),
        ("KmsThrottlingException", 400, Reply.NOT_NOW),
        ("ServiceUnavailable", 503, Reply.NOT_NOW),
        ("ExpiredTokenException", 400, Reply.NOT_NOW),
    ],
)
def test_an_error_tells_whether_the_task_may_be_answered_later(client, stub, code, status, reply):
    stub.add_client_error("send_task_success", code, "the-token", status)
    assert answered(client, SUCCESS) == [reply]


def test_a_task_that_step_functions_did_not_confirm_may_be_answered_later(client, monkeypatch):
    def silent(**request):
        raise ReadTimeoutError(endpoint_url="https://states")

    monkeypatch.setattr(client, "send_task_success", silent)
    assert answered(client, SUCCESS) == [Reply.NOT_NOW]


def test_nothing_is_begun_when_the_time_is_up(client, stub):
    assert answered(client, SUCCESS, may_begin=lambda: False) == [Reply.NOT_NOW]
