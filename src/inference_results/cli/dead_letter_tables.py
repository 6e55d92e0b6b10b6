"""What is shown of dead letters. Whoever can send to a queue has written them."""

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
    note,
    print_fields,
    print_json,
    shown,
)
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.dead_letters.queues import DeadLetter, QueueName
from inference_results.operations.dead_letters.redrive import Assessment, RedriveOutcome


def print_counts(counts: Mapping[QueueName, int], *, json: bool) -> None:
    """A line for each queue."""
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


def print_letters(letters: Sequence[tuple[DeadLetter, Assessment]], *, json: bool) -> None:
    """A line for each message, without its body."""
    if json or not is_terminal(sys.stdout):
        for letter, verdict in letters:
            if json:
                print_json(_head(letter) | _verdict(verdict))
            else:
                print_fields(*_row(letter, verdict))
        return
    if not letters:
        note("no messages found")
        return
    table = list_table("message", "sent", "inference", "endpoint", "status", "redrive", "why")
    for letter, verdict in letters:
        table.add_row(*map(shown, _row(letter, verdict)))
    print_table(table)


def print_letter(letter: DeadLetter, verdict: Assessment, *, json: bool) -> None:
    """With its body: on a terminal with line breaks, in a pipe on one line."""
    if json:
        print_json(letter_document(letter) | _verdict(verdict), spread=True)
        return
    fields = list(_fields(letter, verdict))
    if not is_terminal(sys.stdout):
        for name, value in (*fields, ("body", letter.body)):
            print_fields(name, value)
        return
    rows = Table.grid(Column(style="dim", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in fields:
        rows.add_row(shown(name), Text(shown(value)))
    panel = Panel(rows, title=Text(shown(letter.message_id)), title_align="left", expand=False)
    console(sys.stdout).print(panel)
    for line in _spread(letter.body).split("\n"):
        console(sys.stdout).print(shown(line), soft_wrap=True)


def print_outcomes(outcomes: Iterable[RedriveOutcome], *, json: bool) -> None:
    """A line for each: its id, redriven or left, and why."""
    for each in outcomes:
        became = "redriven" if each.left is None else "left"
        if json:
            print_json({"message_id": each.message_id, "outcome": became, "why": each.left})
        else:
            print_fields(each.message_id, became, each.left)


def letter_document(letter: DeadLetter) -> dict[str, Any]:
    """The whole of it."""
    return _head(letter) | {"attributes": dict(letter.attributes), "body": letter.body}


def _head(letter: DeadLetter) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "sent_at": timestamp(letter.sent_at),
        "receive_count": letter.receive_count,
    }


def _verdict(verdict: Assessment) -> dict[str, Any]:
    return {
        "inference_id": verdict.inference_id or None,
        "endpoint_name": verdict.endpoint_name or None,
        "status": verdict.status or None,
        "redrivable": verdict.would_pass,
        "why": verdict.why,
    }


def _row(letter: DeadLetter, verdict: Assessment) -> tuple[str, ...]:
    return (
        letter.message_id,
        timestamp(letter.sent_at),
        verdict.inference_id,
        verdict.endpoint_name,
        verdict.status,
        "yes" if verdict.would_pass else "no",
        verdict.why,
    )


def _fields(letter: DeadLetter, verdict: Assessment) -> Iterator[tuple[str, str]]:
    yield "message_id", letter.message_id
    yield "sent_at", timestamp(letter.sent_at)
    yield "receive_count", str(letter.receive_count)
    for name, value in letter.attributes.items():
        yield f"attributes.{name}", value
    for name, value in _verdict(verdict).items():
        if value is not None:
            yield name, value if isinstance(value, str) else json_.dumps(value)


def _spread(body: str) -> str:
    """JSON over several lines; what is none, as it is."""
    try:
        return json_.dumps(json_.loads(body), indent=2)
    except (ValueError, RecursionError):
        return body
