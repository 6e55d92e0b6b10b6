"""Step Functions: tasks that wait for an answer."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from inference_results.adapters.aws import unavailability
from inference_results.domain.answering import Reply
from inference_results.domain.errors import Unavailable
from inference_results.domain.task_answer import Success, TaskAnswer

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


class WaitingTasks:
    """Answers tasks by their tokens, several calls at a time."""

    def __init__(self, client: "SFNClient", pool: Executor) -> None:
        self._client = client
        self._pool = pool

    def answer(self, answers: Sequence[TaskAnswer], may_begin: Callable[[], bool]) -> list[Reply]:
        """What became of each; what botocore gives up may have been taken all the same."""
        return list(self._pool.map(partial(self._answer, may_begin), answers))

    def _answer(self, may_begin: Callable[[], bool], answer: TaskAnswer) -> Reply:
        if not may_begin():
            return Reply.NOT_NOW
        try:
            with unavailability("states"):
                self._send(answer)
        except Unavailable:
            return Reply.NOT_NOW
        except ClientError as error:
            return _refusal(error.response["Error"]["Code"])
        return Reply.TAKEN

    def _send(self, answer: TaskAnswer) -> None:
        match answer.outcome:
            case Success(output):
                self._client.send_task_success(taskToken=answer.token, output=output)
            case failure:
                self._client.send_task_failure(
                    taskToken=answer.token, error=failure.error, cause=failure.cause
                )


def _refusal(code: str) -> Reply:
    """What is not known is tried again: its text is not raised, as it may quote the token."""
    if code in _GONE:
        return Reply.GONE
    return Reply.DENIED if code in _DENIED else Reply.NOT_NOW
