"""Print dead letters. Anybody who can send to a queue controls their text."""

import json as json_
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from inference_results.cli.tables import list_table, print_table
from inference_results.cli.terminal import (
    console,
    is_terminal,
    print_fields,
    print_json,
    print_note,
    printable,
)
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.dead_letters.queues import DeadLetter, QueueName
from inference_results.operations.dead_letters.redrive import Assessment, RedriveOutcome


def print_counts(counts: Mapping[QueueName, int], *, json: bool) -> None:
    """Print one line per queue."""
    if json or not is_terminal(sys.stdout):
        for name, count in counts.items():
            if json:
                print_json({"queue": name, "messages": count})
            else:
                print_fields(name, str(count))
        return
    table = list_table("queue", "messages")
    for name, count in counts.items():
        table.add_row(name, Text(str(count), style="yellow" if count else "dim"))
    print_table(table)


def print_messages(messages: Sequence[tuple[DeadLetter, Assessment]], *, json: bool) -> None:
    """Print one line per message, without its body."""
    if json or not is_terminal(sys.stdout):
        for message, assessment in messages:
            if json:
                print_json(_header(message) | _assessment_fields(assessment))
            else:
                print_fields(*_row(message, assessment))
        return
    if not messages:
        print_note("no messages found")
        return
    table = list_table("message", "sent", "inference", "endpoint", "status", "redrive", "why")
    for message, assessment in messages:
        table.add_row(*map(printable, _row(message, assessment)))
    print_table(table)


def print_message(message: DeadLetter, assessment: Assessment, *, json: bool) -> None:
    """Print a message with its body: with line breaks on a terminal, on one line in a pipe."""
    if json:
        print_json(message_document(message) | _assessment_fields(assessment), pretty=True)
        return
    fields = list(_fields(message, assessment))
    if not is_terminal(sys.stdout):
        for name, value in (*fields, ("body", message.body)):
            print_fields(name, value)
        return
    rows = Table.grid(Column(style="dim", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in fields:
        rows.add_row(printable(name), Text(printable(value)))
    title = Text(printable(message.message_id))
    console(sys.stdout).print(Panel(rows, title=title, title_align="left", expand=False))
    for line in _indented(message.body).split("\n"):
        console(sys.stdout).print(printable(line), soft_wrap=True)


def print_outcomes(outcomes: Iterable[RedriveOutcome], *, json: bool) -> None:
    """Print one line per message: id, redriven or kept, and why it was kept."""
    for each in outcomes:
        outcome = "redriven" if each.failure is None else "kept"
        if json:
            print_json({"message_id": each.message_id, "outcome": outcome, "why": each.failure})
        else:
            print_fields(each.message_id, outcome, each.failure)


def message_document(message: DeadLetter) -> dict[str, Any]:
    """Return the whole message."""
    return _header(message) | {"attributes": dict(message.attributes), "body": message.body}


def _header(message: DeadLetter) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "sent_at": timestamp(message.sent_at),
        "receive_count": message.receive_count,
    }


def _assessment_fields(assessment: Assessment) -> dict[str, Any]:
    return {
        "inference_id": assessment.inference_id or None,
        "endpoint_name": assessment.endpoint_name or None,
        "status": assessment.status or None,
        "redrivable": assessment.redrivable,
        "why": assessment.reason,
    }


def _row(message: DeadLetter, assessment: Assessment) -> tuple[str, ...]:
    return (
        message.message_id,
        timestamp(message.sent_at),
        assessment.inference_id,
        assessment.endpoint_name,
        assessment.status,
        "yes" if assessment.redrivable else "no",
        assessment.reason,
    )


def _fields(message: DeadLetter, assessment: Assessment) -> Iterator[tuple[str, str]]:
    yield "message_id", message.message_id
    yield "sent_at", timestamp(message.sent_at)
    yield "receive_count", str(message.receive_count)
    for name, value in message.attributes.items():
        yield f"attributes.{name}", value
    for name, value in _assessment_fields(assessment).items():
        if value is not None:
            yield name, value if isinstance(value, str) else json_.dumps(value)


def _indented(body: str) -> str:
    """Indent JSON; return any other text unchanged."""
    try:
        return json_.dumps(json_.loads(body), indent=2)
    except (ValueError, RecursionError):
        return body
