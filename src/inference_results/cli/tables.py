"""Print records, summaries and changes: tables on a terminal, tab-separated lines in a pipe."""

import json as json_
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich import box
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from inference_results.cli.terminal import (
    console,
    is_terminal,
    print_fields,
    print_json,
    print_note,
    printable,
)
from inference_results.client.records import DaySummary, Inference, Latency
from inference_results.contract import Status
from inference_results.domain.reconciliation.backfill import StoredObject, backfill_id
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.endpoints.configs import ConfigChange

_STATUS_STYLES: Final[dict[str, str]] = {Status.COMPLETED: "green", Status.IN_PROGRESS: "yellow"}
_MAX_VALUE_LENGTH: Final = 400
_BAR_WIDTH: Final = 40
_UNLIMITED_WIDTH: Final = 10_000


def print_record(inference: Inference, *, json: bool) -> None:
    """Print every field: a panel on a terminal, otherwise one line of name and value per field."""
    if json:
        print_json(inference.raw, pretty=True)
        return
    fields = list(_fields(inference.raw))
    if not is_terminal(sys.stdout):
        for name, value in fields:
            print_fields(name, value)
        return
    rows = Table.grid(Column(style="dim", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in fields:
        text = Text(_shortened(value), style=_status_style(value) if name == "status" else "")
        rows.add_row(name, text)
    title = Text(printable(inference.inference_id))
    console(sys.stdout).print(Panel(rows, title=title, title_align="left", expand=False))


def print_row(inference: Inference, *, json: bool) -> None:
    """Print one line, for lists that grow while they are printed."""
    if json:
        print_json(inference.raw)
        return
    if not is_terminal(sys.stdout):
        print_fields(*_row(inference))
        return
    time, status, endpoint, inference_id, failure = map(printable, _row(inference))
    line = Text.assemble(
        (f"{time:<24}", "dim"), "  ", (f"{status:<10}", _status_style(status)), f"  {endpoint}  "
    ).append(f"{inference_id}  {failure}".rstrip())
    console(sys.stdout).print(line, soft_wrap=True)


def print_rows(inferences: Sequence[Inference], *, json: bool) -> None:
    """Print a table on a terminal, otherwise one line per inference."""
    if not inferences and not json:
        print_note("no inferences found")
    elif json or not is_terminal(sys.stdout):
        for inference in inferences:
            print_row(inference, json=json)
    else:
        table = list_table("time", "status", "endpoint", "inference", "failure")
        for inference in inferences:
            time, status, *others = map(printable, _row(inference))
            table.add_row(time, Text(status, style=_status_style(status)), *others)
        print_table(table)


def print_object(stored: StoredObject, *, json: bool) -> None:
    """Print one line: last modification, size in bytes, location."""
    time, location = timestamp(stored.last_modified), stored.location.uri
    if json:
        print_json(
            {
                "inference_id": backfill_id(stored.location),
                "last_modified": time,
                "size": stored.size,
                "location": location,
            }
        )
    elif is_terminal(sys.stdout):
        line = Text.assemble((time, "dim"), f"  {stored.size:>13,}  {printable(location)}")
        console(sys.stdout).print(line, soft_wrap=True)
    else:
        print_fields(time, str(stored.size), location)


def print_summary(endpoint_name: str, days: Sequence[DaySummary], *, json: bool) -> None:
    """Print counts and latencies by day; on a terminal also a latency histogram over all days."""
    if json:
        document = {"endpoint_name": endpoint_name, "days": [_day_document(each) for each in days]}
        print_json(document, pretty=True)
        return
    if not days:
        print_note("no results in this period")
        return
    if not is_terminal(sys.stdout):
        for day in days:
            by_status = " ".join(f"{status}={count}" for status, count in day.counts.items())
            print_fields(day.day.isoformat(), by_status, *_percentiles(day.latency))
        return
    statuses = list(dict.fromkeys(status for day in days for status in day.counts))
    table = list_table(
        "day", *map(printable, statuses), "p50 ms", "p90 ms", "p99 ms", align_right=True
    )
    for day in days:
        counts = (str(day.counts.get(status, 0)) for status in statuses)
        table.add_row(day.day.isoformat(), *counts, *_percentiles(day.latency))
    print_table(table)
    for line in _histogram(days):
        console(sys.stdout).print(line, soft_wrap=True)


def print_changes(changes: Iterable[ConfigChange]) -> None:
    """Print each member with its old and new value: a diff on a terminal, otherwise one line."""
    for each in changes:
        if not is_terminal(sys.stdout):
            print_fields(each.path, each.before, each.after)
            continue
        # Paths and ARNs are too long for columns.
        console(sys.stdout).print(printable(each.path), soft_wrap=True)
        for mark, value, style in (("-", each.before, "red"), ("+", each.after, "green")):
            if value is not None:
                line = f"  {mark} {printable(value)}"
                console(sys.stdout).print(line, style=style, soft_wrap=True)


def list_table(*names: str, align_right: bool = False) -> Table:
    """Create a table without lines between rows; `align_right` leaves the first column alone."""
    first, *others = names
    justify: Any = "right" if align_right else "left"
    return Table(
        Column(first, no_wrap=True),
        *(Column(name, no_wrap=True, justify=justify) for name in others),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def print_table(table: Table) -> None:
    """Print without truncating cells: the terminal wraps lines, and ids can be copied whole."""
    console(sys.stdout, width=_UNLIMITED_WIDTH).print(table)


def _fields(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted names and values; strings as they are, other values as JSON."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{path}{name}.")
        else:
            yield path + name, value if isinstance(value, str) else json_.dumps(value)


def _row(inference: Inference) -> tuple[str, str, str, str, str]:
    """Return time (of the result, else of the request), status, endpoint, id, failure code."""
    time = inference.event_time or inference.submitted_at or inference.received_at
    return (
        timestamp(time) if time else "",
        inference.status,
        inference.endpoint_name,
        inference.inference_id,
        inference.failure.code if inference.failure else "",
    )


def _status_style(status: str) -> str:
    return _STATUS_STYLES.get(status, "red")


def _shortened(value: str) -> str:
    if len(value) <= _MAX_VALUE_LENGTH:
        return printable(value)
    start = printable(value[:_MAX_VALUE_LENGTH])
    return f"{start}... ({len(value)} characters; --json prints all)"


def _percentiles(latency: Latency | None) -> tuple[str, str, str]:
    if latency is None:
        return "", "", ""
    return str(latency.p50_ms), str(latency.p90_ms), str(latency.p99_ms)


def _histogram(days: Iterable[DaySummary]) -> Iterator[str]:
    counts: Counter[int] = Counter()
    for day in days:
        if day.latency:
            counts.update({each.up_to_ms: each.count for each in day.latency.histogram})
    highest = max(counts.values(), default=0)
    for up_to_ms, count in sorted(counts.items()):
        bar = "#" * (-(-count * _BAR_WIDTH // highest) if highest else 0)
        yield f"up to {up_to_ms:>9,} ms  {bar} {count:,}"


def _day_document(day: DaySummary) -> dict[str, Any]:
    """Return a day in the API's format."""
    known = {name: value for name, value in asdict(day).items() if value is not None}
    return known | {"day": day.day.isoformat()}
