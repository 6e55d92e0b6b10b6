"""Select dead letters, confirm their deletion, and open the queues of a stack."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import boto3
import typer
from botocore.config import Config

from inference_results.cli.connection import Connection
from inference_results.cli.dead_letter_tables import message_document
from inference_results.cli.exit_codes import ExitCode, UsageError
from inference_results.cli.terminal import is_terminal, print_note
from inference_results.operations.dead_letters.delete import MessageFile
from inference_results.operations.dead_letters.queues import DeadLetter, HeldMessages, QueueName
from inference_results.operations.dead_letters.redrive import RedriveOutcome
from inference_results.operations.dead_letters.stack_queues import DeadLetterQueue, DeadLetterQueues
from inference_results.operations.errors import MessageNotFound
from inference_results.operations.stack import Stack

_CONFIG: Final = Config(
    connect_timeout=5,
    # An invoked function can run for 30 seconds.
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
)


class Selection:
    """The messages to work on: some by id, or all. Raises UsageError for neither and for both."""

    def __init__(self, message_ids: Sequence[str] | None, all_: bool, limit: int) -> None:
        if bool(message_ids) == all_:
            raise UsageError("pass either message ids or --all")
        self._missing_ids = dict.fromkeys(message_ids or ())
        self._all = all_
        self._limit = limit

    def filter(self, held: HeldMessages) -> Iterator[DeadLetter]:
        messages = islice(held, self._limit)
        return messages if self._all else self._by_id(messages)

    def _by_id(self, messages: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        for message in messages:
            if message.message_id in self._missing_ids:
                del self._missing_ids[message.message_id]
                yield message
            if not self._missing_ids:
                return

    def count(self, queue: DeadLetterQueue) -> int:
        return min(self._limit, queue.messages.count()) if self._all else len(self._missing_ids)

    def has_more(self, held: HeldMessages) -> bool:
        return self._all and held.has_more()

    def finish(self, *, has_more: bool, kept: int) -> None:
        """Raise MessageNotFound if an id was not found, or Exit if messages remain."""
        if has_more:
            note_limit(self._limit)
        if self._missing_ids:
            raise MessageNotFound(list(self._missing_ids))
        if kept or has_more:
            raise typer.Exit(ExitCode.NOT_COMPLETED)


@contextmanager
def note_totals(outcomes: Sequence[RedriveOutcome]) -> Iterator[None]:
    """Print the totals at the end, and also after an error."""

    def totals() -> str:
        kept = count_kept(outcomes)
        return f"redriven {len(outcomes) - kept:,}, kept {kept:,}"

    with ExitStack() as on_error:
        on_error.callback(lambda: print_note(f"stopped: {totals()}"))
        yield
        on_error.pop_all()
    print_note(totals())


def count_kept(outcomes: Iterable[RedriveOutcome]) -> int:
    return sum(each.failure is not None for each in outcomes)


def note_limit(limit: int) -> None:
    print_note(f"reached the limit of {limit} messages: the queue has more")


def confirm(selection: Selection, queue: DeadLetterQueue) -> None:
    if not is_terminal(sys.stdin):
        raise UsageError("cannot ask for confirmation without a terminal: pass --yes")
    prompt = f"Permanently delete {selection.count(queue):,} message(s) of {queue.name}?"
    if not typer.confirm(prompt, err=True):
        raise typer.Exit(ExitCode.NOT_COMPLETED)


@contextmanager
def message_file(path: Path | None, queue: QueueName) -> Iterator[MessageFile | None]:
    if path is None:
        yield None
        return
    # Only the owner can read it: it can contain payload.
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        yield MessageFile(file, lambda message: {"queue": queue, **message_document(message)})


def open_queues(ctx: typer.Context, stack: str) -> DeadLetterQueues:
    connection: Connection = ctx.obj
    session = connection.session()
    return DeadLetterQueues(
        stack=Stack.read(_client(session, "cloudformation"), stack),
        sqs=_client(session, "sqs"),
        sns=_client(session, "sns"),
        streams=_client(session, "dynamodbstreams"),
        lambda_=_client(session, "lambda"),
    )


def _client(session: boto3.Session, service: Any) -> Any:
    return session.client(service, config=_CONFIG)
