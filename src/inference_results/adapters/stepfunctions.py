"""Step Functions: tasks that wait for an answer."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.domain.changes.complete_tasks import CompletionResult
from inference_results.domain.changes.task_completions import TaskCompletion, TaskSuccess
from inference_results.domain.record.errors import Unavailable

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

_GONE: Final = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})
_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "InvalidOutput",
        "KmsAccessDeniedException",
        "KmsInvalidStateException",
        "ValidationException",
    }
)


class StepFunctionsTasks:
    """Answers tasks by their tokens, several calls at a time."""

    def __init__(self, client: "SFNClient", pool: Executor) -> None:
        self._client = client
        self._pool = pool

    def answer(
        self, answers: Sequence[TaskCompletion], may_begin: Callable[[], bool]
    ) -> list[CompletionResult]:
        """What became of each; what botocore gives up may have been taken all the same."""
        return list(self._pool.map(partial(self._answer, may_begin), answers))

    def _answer(self, may_begin: Callable[[], bool], answer: TaskCompletion) -> CompletionResult:
        if not may_begin():
            return CompletionResult.NOT_NOW
        try:
            with translate_unavailable("states"):
                self._send(answer)
        except Unavailable:
            return CompletionResult.NOT_NOW
        except ClientError as error:
            return _refusal(error.response["Error"]["Code"])
        return CompletionResult.TAKEN

    def _send(self, answer: TaskCompletion) -> None:
        match answer.outcome:
            case TaskSuccess(output):
                self._client.send_task_success(taskToken=answer.token, output=output)
            case failure:
                self._client.send_task_failure(
                    taskToken=answer.token, error=failure.error, cause=failure.cause
                )


def _refusal(code: str) -> CompletionResult:
    """What is not known is tried again: its text is not raised, as it may quote the token."""
    if code in _GONE:
        return CompletionResult.GONE
    return CompletionResult.DENIED if code in _DENIED else CompletionResult.NOT_NOW
