"""Complete Step Functions tasks."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.domain.changes.complete_tasks import CompletionResult
from inference_results.domain.changes.task_completions import TaskCompletion, TaskSuccess
from inference_results.domain.record.errors import Unavailable

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

_GONE_CODES: Final = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})
_DENIED_CODES: Final = frozenset(
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
    """Completes tasks by their tokens, several calls at a time."""

    def __init__(self, client: "SFNClient", pool: Executor) -> None:
        self._client = client
        self._pool = pool

    def complete(
        self, completions: Sequence[TaskCompletion], has_time: Callable[[], bool]
    ) -> list[CompletionResult]:
        """Complete each task once and return one result each, in order.

        RETRY does not mean that the task still waits: a response can be lost.
        """
        return list(self._pool.map(partial(self._complete, has_time), completions))

    def _complete(
        self, has_time: Callable[[], bool], completion: TaskCompletion
    ) -> CompletionResult:
        if not has_time():
            return CompletionResult.RETRY
        try:
            with translate_unavailable("states"):
                self._send(completion)
        except Unavailable:
            return CompletionResult.RETRY
        except ClientError as error:
            return _result_for(error.response["Error"]["Code"])
        return CompletionResult.ACCEPTED

    def _send(self, completion: TaskCompletion) -> None:
        match completion.outcome:
            case TaskSuccess(output):
                self._client.send_task_success(taskToken=completion.token, output=output)
            case failure:
                self._client.send_task_failure(
                    taskToken=completion.token, error=failure.error, cause=failure.cause
                )


def _result_for(code: str) -> CompletionResult:
    # Unknown errors are retried, not raised: their text can quote the token.
    if code in _GONE_CODES:
        return CompletionResult.GONE
    return CompletionResult.DENIED if code in _DENIED_CODES else CompletionResult.RETRY
