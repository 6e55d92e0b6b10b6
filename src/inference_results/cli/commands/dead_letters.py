"""The commands `dead-letters`: list, show, redrive, delete."""

import sys
import time
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn

from inference_results.cli import options
from inference_results.cli.commands._dead_letters import (
    Selection,
    confirm,
    count_kept,
    message_file,
    note_limit,
    note_totals,
    open_queues,
)
from inference_results.cli.dead_letter_tables import (
    print_counts,
    print_message,
    print_messages,
    print_outcomes,
)
from inference_results.cli.exit_codes import sigterm_as_interrupt
from inference_results.cli.progress import progress_bar
from inference_results.cli.terminal import is_terminal, print_fields, print_json
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.dead_letters.delete import delete_messages
from inference_results.operations.dead_letters.queues import (
    MAX_HOLD_SECONDS,
    MessageQueue,
    QueueName,
    hold_messages,
    queue_urls,
)
from inference_results.operations.dead_letters.redrive import RedriveOutcome, redrive_messages
from inference_results.operations.errors import MessageNotFound

_READ_HOLD_SECONDS: Final = 30

_StackName = Annotated[
    str,
    typer.Option(
        "--stack",
        envvar="INFERENCE_RESULTS_STACK",
        metavar="NAME",
        help="Stack of this service.",
    ),
]
_Queue = Annotated[
    QueueName, typer.Argument(metavar="QUEUE", help="Queue name.", show_choices=False)
]
_MessageIds = Annotated[
    list[str] | None,
    typer.Argument(
        parser=options.utf8_text,
        metavar="MESSAGE_ID...",
        help="Message ids, as `list` prints them.",
    ),
]
_All = Annotated[bool, typer.Option("--all", help="All messages of the queue.")]
_Limit = Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Maximum number of messages.")]

dead_letters = typer.Typer(
    name="dead-letters",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Inspect, redrive and delete dead letters."
    "\n\nQueues: " + ", ".join(QueueName) + ". See docs/operations/dead-letters.md."
    "\n\nCalls AWS directly, with the credentials of --profile; needs no --api-url.",
)


@dead_letters.command("list")
def list_messages(
    ctx: typer.Context,
    stack: _StackName,
    queue: Annotated[
        QueueName | None, typer.Argument(metavar="QUEUE", help="Queue name.", show_choices=False)
    ] = None,
    limit: _Limit = 100,
    json: options.AsJson = False,
) -> None:
    """Count the messages of each queue, or list those of one queue.

    Counts are SQS's approximate counts. For each message, prints its id, the time it was sent,
    inference id, endpoint and status if known, whether a redrive can succeed (yes or no), and why;
    tab-separated in a pipe. Reading hides the messages from other readers until the command ends.

    \b
    Examples:
      inference-results dead-letters list --stack InferenceResults
      inference-results dead-letters list unprocessable --stack InferenceResults
    """
    queues = open_queues(ctx, stack)
    if queue is None:
        urls = queue_urls(queues.stack)
        counts = {name: MessageQueue(queues.sqs, url).count() for name, url in urls.items()}
        print_counts(counts, json=json)
        return
    selected = queues[queue]
    with sigterm_as_interrupt(), hold_messages(selected.messages, _READ_HOLD_SECONDS) as held:
        assessed = [(each, selected.redriver.assess(each)) for each in islice(held, limit)]
        has_more = held.has_more()
    print_messages(assessed, json=json)
    if has_more:
        note_limit(limit)


@dead_letters.command()
def show(
    ctx: typer.Context,
    queue: _Queue,
    message_id: Annotated[
        str,
        typer.Argument(
            parser=options.utf8_text, metavar="MESSAGE_ID", help="Message id, as `list` prints it."
        ),
    ],
    stack: _StackName,
    limit: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Maximum number of messages to read.")
    ] = 1000,
    json: options.AsJson = False,
) -> None:
    """Show a message with its body and attributes, and why it failed.

    The body can contain payload: model responses and caller metadata. SQS cannot look up an id, so
    the command reads up to --limit messages to find it.

    \b
    Example:
      inference-results dead-letters show unprocessable MESSAGE_ID --stack InferenceResults
    """
    selected = open_queues(ctx, stack)[queue]
    with sigterm_as_interrupt(), hold_messages(selected.messages, _READ_HOLD_SECONDS) as held:
        messages = islice(held, limit)
        message = next((each for each in messages if each.message_id == message_id), None)
    if message is None:
        raise MessageNotFound([message_id])
    print_message(message, selected.redriver.assess(message), json=json)


@dead_letters.command()
def redrive(
    ctx: typer.Context,
    queue: _Queue,
    stack: _StackName,
    message_ids: _MessageIds = None,
    all_: _All = False,
    limit: _Limit = 1000,
    rate: Annotated[
        float, typer.Option(min=0.01, metavar="NUMBER", help="Maximum messages per second.")
    ] = 10,
    json: options.AsJson = False,
) -> None:
    """Send messages through the pipeline again.

    Fix the cause first: messages that would fail again stay in the queue, with the reason.
    Notifications are published to their topic, because only the topic can send to its queue; every
    subscriber of the topic receives them again. Stream batches are read from the table's stream,
    which keeps changes for 24 hours, and passed to the function that failed.

    A message is deleted only after its delivery. You can stop the command at any time and rerun it:
    a second delivery produces the same record.

    Exits with 1 if messages remain. In a pipe, prints tab-separated lines: id, redriven or kept,
    and why.

    \b
    Examples:
      inference-results dead-letters redrive failed --all --stack InferenceResults
      inference-results dead-letters redrive unprocessable MESSAGE_ID --stack InferenceResults
    """
    selection = Selection(message_ids, all_, limit)
    selected = open_queues(ctx, stack)[queue]
    outcomes: list[RedriveOutcome] = []
    # Hold kept messages until the end: otherwise SQS would return them again.
    hold_seconds = min(selected.seconds_per_message + int(limit / rate), MAX_HOLD_SECONDS)
    with (
        note_totals(outcomes),
        sigterm_as_interrupt(),
        hold_messages(selected.messages, hold_seconds) as held,
        progress_bar(BarColumn(), MofNCompleteColumn()) as bar,
    ):
        redriven = redrive_messages(
            selection.filter(held),
            selected.redriver,
            delete=held.delete,
            pause=lambda: time.sleep(1 / rate),
        )
        for outcome in bar.track(redriven, selection.count(selected), description="redriving"):
            outcomes.append(outcome)
            if not is_terminal(sys.stdout):
                print_outcomes([outcome], json=json)
        has_more = selection.has_more(held)
    if is_terminal(sys.stdout):
        print_outcomes([each for each in outcomes if each.failure or json], json=json)
    selection.finish(has_more=has_more, kept=count_kept(outcomes))


@dead_letters.command()
def delete(
    ctx: typer.Context,
    queue: _Queue,
    stack: _StackName,
    message_ids: _MessageIds = None,
    all_: _All = False,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", dir_okay=False, metavar="FILE", help="Append deleted messages to this file."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    limit: _Limit = 1000,
    json: options.AsJson = False,
) -> None:
    """Delete messages permanently, after confirmation.

    With --save, appends each message with its body to a file, as a line of JSON, before deleting
    it. The file can then contain payload. Prints the id and the time sent of each deleted message.

    \b
    Example:
      inference-results dead-letters delete unprocessable --all --save deleted.jsonl --stack NAME
    """
    selection = Selection(message_ids, all_, limit)
    selected = open_queues(ctx, stack)[queue]
    if not yes:
        confirm(selection, selected)
    with (
        sigterm_as_interrupt(),
        message_file(save, queue) as append,
        hold_messages(selected.messages, _READ_HOLD_SECONDS) as held,
    ):
        for message in delete_messages(selection.filter(held), append, delete=held.delete):
            sent_at = timestamp(message.sent_at)
            if json:
                print_json({"message_id": message.message_id, "sent_at": sent_at})
            else:
                print_fields(message.message_id, sent_at)
        has_more = selection.has_more(held)
    selection.finish(has_more=has_more, kept=0)
