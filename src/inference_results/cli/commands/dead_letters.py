"""The commands `dead-letters`: what was left over, shown, given back or deleted."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import boto3
import typer
from botocore.config import Config
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from inference_results.cli import options
from inference_results.cli.connection import Connection
from inference_results.cli.dead_letter_tables import (
    letter_document,
    print_counts,
    print_letter,
    print_letters,
    print_outcomes,
)
from inference_results.cli.exit_codes import ExitCode, UsageError, stopped_by_kill
from inference_results.cli.terminal import console, is_terminal, note, print_fields, print_json
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.dead_letters.delete import MessageFile, delete_messages
from inference_results.operations.dead_letters.queues import (
    LONGEST_HOLD_SECONDS,
    DeadLetter,
    HeldMessages,
    MessageQueue,
    QueueName,
    hold_messages,
    queue_urls,
)
from inference_results.operations.dead_letters.redrive import RedriveOutcome, redrive_messages
from inference_results.operations.dead_letters.stack_queues import DeadLetterQueue, DeadLetterQueues
from inference_results.operations.errors import MessageNotFound
from inference_results.operations.stack import Stack

_CONFIG: Final = Config(
    connect_timeout=5,
    # A function may take half a minute.
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
)
_SECONDS: Final = 30
"""For how long a message is hidden that is only looked at."""

letters = typer.Typer(
    name="dead-letters",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show, redrive or drop what was left over: dead letters, and what could not be processed."
    "\n\nThe queues: " + ", ".join(QueueName) + ". docs/operations/dead-letters.md says what each"
    " holds. It asks AWS itself, with the credentials of --profile; no --api-url is needed.",
)


@letters.command("list")
def list_(
    ctx: typer.Context,
    stack: options.StackName,
    queue: options.Queue = None,
    limit: options.MostLetters = 100,
    json: options.AsJson = False,
) -> None:
    """Count the messages of each queue, or show those of one and why they are there.

    The counts are SQS's, which are about right. A message is shown as: its id, when it was sent,
    inference id, endpoint, status (as far as it tells), whether a redrive would help (yes or no),
    and why. In a pipe the fields are parted by tabs. HeldMessages hides messages from other readers,
    for the time it takes.

    \b
    Examples:
      inference-results dead-letters list --stack InferenceResults
      inference-results dead-letters list unprocessable --stack InferenceResults
    """
    queues = _queues(ctx, stack)
    if queue is None:
        urls = queue_urls(queues.stack)
        counts = {name: MessageQueue(queues.sqs, url).count() for name, url in urls.items()}
        print_counts(counts, json=json)
        return
    found = queues[queue]
    with stopped_by_kill(), hold_messages(found.messages, _SECONDS) as letters:
        shown = [(each, found.route.judge(each)) for each in islice(letters, limit)]
        more = letters.has_more()
    print_letters(shown, json=json)
    if more:
        note(_limit_reached(limit))


@letters.command()
def show(
    ctx: typer.Context,
    queue: options.QueueArgument,
    message_id: options.MessageId,
    stack: options.StackName,
    limit: options.MostLookedAt = 1000,
    json: options.AsJson = False,
) -> None:
    """Show a whole message, its attributes, and where it fails.

    The body may hold payload: what a model answered, and what its callers sent along. SQS finds no
    message by its id, so up to --limit messages are looked at.

    \b
    Example:
      inference-results dead-letters show unprocessable MESSAGE_ID --stack InferenceResults
    """
    found = _queues(ctx, stack)[queue]
    with stopped_by_kill(), hold_messages(found.messages, _SECONDS) as letters:
        some = islice(letters, limit)
        letter = next((each for each in some if each.message_id == message_id), None)
    if letter is None:
        raise MessageNotFound([message_id])
    print_letter(letter, found.route.judge(letter), json=json)


@letters.command()
def redrive(
    ctx: typer.Context,
    queue: options.QueueArgument,
    stack: options.StackName,
    message_ids: options.MessageIds = None,
    all_: options.AllLetters = False,
    limit: options.MostLetters = 1000,
    rate: options.Rate = 10,
    json: options.AsJson = False,
) -> None:
    """Give messages back to where they came from, once the cause is repaired.

    What would fail again stays where it is, with the reason. Notifications are published to their
    topic: only it may send to its queue, so neither SQS's own redrive nor a direct send works.
    Every subscriber of the topic is told again. Parts of the table's stream are read from it,
    within 24 hours, and told to the function that could not take them.

    A message is deleted after it was taken. So it can be stopped at any time and repeated; what
    goes twice leaves the same record.

    Ends with 1 if something was left. In a pipe a line for each: id, redrive_messages or left, and why.

    \b
    Examples:
      inference-results dead-letters redrive failed --all --stack InferenceResults
      inference-results dead-letters redrive unprocessable MESSAGE_ID --stack InferenceResults
    """
    chosen = _Chosen(message_ids, all_, limit)
    found = _queues(ctx, stack)[queue]
    tally = _Tally()

    with (
        _figures_told(tally),
        stopped_by_kill(),
        # What stays is not to come again in the meantime: it would be taken for the rest.
        hold_messages(
            found.messages, min(found.seconds_of_one + int(limit / rate), LONGEST_HOLD_SECONDS)
        ) as some,
        _bar() as bar,
    ):
        outcomes = redrive_messages(
            chosen.of(some), found.route, delete=some.delete, pause=lambda: time.sleep(1 / rate)
        )
        for each in bar.track(outcomes, chosen.total(found), description="redriving"):
            tally.add(each)
            if not is_terminal(sys.stdout):
                print_outcomes([each], json=json)
        more = chosen.are_more(some)
    if is_terminal(sys.stdout):
        print_outcomes([each for each in tally.outcomes if each.left or json], json=json)
    chosen.end(more, left=tally.left)


@letters.command()
def drop(
    ctx: typer.Context,
    queue: options.QueueArgument,
    stack: options.StackName,
    message_ids: options.MessageIds = None,
    all_: options.AllLetters = False,
    save: options.SaveTo = None,
    yes: options.Yes = False,
    limit: options.MostLetters = 1000,
    json: options.AsJson = False,
) -> None:
    """Delete messages for good; asks first, unless --yes is given.

    With --save each is appended to a file as a line of JSON, with its body, before it is deleted.
    The file may then hold payload. Shows the id of each that was deleted, and when it was sent.

    \b
    Example:
      inference-results dead-letters drop unprocessable --all --save parked.jsonl --stack NAME
    """
    chosen = _Chosen(message_ids, all_, limit)
    found = _queues(ctx, stack)[queue]
    if not yes:
        _confirm(chosen, found)
    with (
        stopped_by_kill(),
        _saving(save, queue) as keep,
        hold_messages(found.messages, _SECONDS) as some,
    ):
        for each in delete_messages(chosen.of(some), keep, delete=some.delete):
            if json:
                print_json({"message_id": each.message_id, "sent_at": timestamp(each.sent_at)})
            else:
                print_fields(each.message_id, timestamp(each.sent_at))
        more = chosen.are_more(some)
    chosen.end(more, left=0)


class _Chosen:
    """Which messages are meant. Raises UsageError if that is not clear."""

    def __init__(self, message_ids: Sequence[str] | None, all_: bool, limit: int) -> None:
        if bool(message_ids) == all_:
            raise UsageError("which messages? Give their ids, or --all")
        self._missing = dict.fromkeys(message_ids or ())
        self._all = all_
        self._limit = limit

    def of(self, letters: HeldMessages) -> Iterator[DeadLetter]:
        some = islice(letters, self._limit)
        return some if self._all else self._named(some)

    def _named(self, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        for letter in letters:
            if letter.message_id in self._missing:
                del self._missing[letter.message_id]
                yield letter
            if not self._missing:
                return

    def total(self, queue: DeadLetterQueue) -> int:
        return min(self._limit, queue.messages.count()) if self._all else len(self._missing)

    def are_more(self, letters: HeldMessages) -> bool:
        return self._all and letters.has_more()

    def end(self, more: bool, *, left: int) -> None:
        """Raises MessageNotFound, or Exit if something stays."""
        if more:
            note(_limit_reached(self._limit))
        if self._missing:
            raise MessageNotFound(list(self._missing))
        if left or more:
            raise typer.Exit(ExitCode.NOT_COMPLETED)


class _Tally:
    def __init__(self) -> None:
        self.outcomes: list[RedriveOutcome] = []

    def add(self, outcome: RedriveOutcome) -> None:
        self.outcomes.append(outcome)

    @property
    def left(self) -> int:
        return sum(each.left is not None for each in self.outcomes)

    def __str__(self) -> str:
        return f"redriven {len(self.outcomes) - self.left:,}, left {self.left:,}"


@contextmanager
def _figures_told(tally: _Tally) -> Iterator[None]:
    """However it ends."""
    with ExitStack() as ends_early:
        ends_early.callback(lambda: note(f"stopped: {tally}"))
        yield
        ends_early.pop_all()
    note(str(tally))


def _limit_reached(limit: int) -> str:
    return f"the limit of {limit} is reached: there are more"


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console(sys.stderr),
        disable=not is_terminal(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _confirm(chosen: _Chosen, queue: DeadLetterQueue) -> None:
    if not is_terminal(sys.stdin):
        raise UsageError("nobody can be asked here: --yes deletes without asking")
    question = f"Delete {chosen.total(queue):,} messages of {queue.name} for good?"
    if not typer.confirm(question, err=True):
        raise typer.Exit(ExitCode.NOT_COMPLETED)


@contextmanager
def _saving(path: Path | None, queue: QueueName) -> Iterator[MessageFile | None]:
    if path is None:
        yield None
        return
    # Nobody else's: it holds payload.
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        yield MessageFile(file, lambda letter: {"queue": queue, **letter_document(letter)})


def _queues(ctx: typer.Context, stack: str) -> DeadLetterQueues:
    connection: Connection = ctx.obj
    session = connection.session()
    return DeadLetterQueues(
        stack=Stack.described(_client(session, "cloudformation"), stack),
        sqs=_client(session, "sqs"),
        sns=_client(session, "sns"),
        streams=_client(session, "dynamodbstreams"),
        lambda_=_client(session, "lambda"),
    )


def _client(session: boto3.Session, service: Any) -> Any:
    return session.client(service, config=_CONFIG)
