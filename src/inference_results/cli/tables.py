"""What the commands show of records, summaries and changes."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from inference_results.cli.terminal import console, is_terminal, print_fields, shown
from inference_results.client.records import DaySummary, Inference, Latency
from inference_results.contract import Status
from inference_results.domain.reconciliation.backfill import StoredObject
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.endpoints.configs import Change

_STYLES: Final[dict[str, str]] = {Status.COMPLETED: "green", Status.IN_PROGRESS: "yellow"}
_LONGEST_VALUE: Final = 400
_BAR_WIDTH: Final = 40
_ANY_WIDTH: Final = 10_000


def print_record(inference: Inference) -> None:
    """Every field: a panel on a terminal, else one line of name and value each."""
    fields = list(_fields(inference.raw))
    if not is_terminal(sys.stdout):
        for name, value in fields:
            print_fields(name, value)
        return
    rows = Table.grid(Column(style="dim", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in fields:
        text = Text(_shortened(value), style=_style(value) if name == "status" else "")
        rows.add_row(name, text)
    title = Text(shown(inference.inference_id))
    console(sys.stdout).print(Panel(rows, title=title, title_align="left", expand=False))


def print_row(inference: Inference) -> None:
    """One line, for lists that grow while they are shown."""
    if not is_terminal(sys.stdout):
        print_fields(*_row(inference))
        return
    time, status, endpoint, inference_id, failure = map(shown, _row(inference))
    line = Text.assemble(
        (f"{time:<24}", "dim"), "  ", (f"{status:<10}", _style(status)), f"  {endpoint}  "
    ).append(f"{inference_id}  {failure}".rstrip())
    console(sys.stdout).print(line, soft_wrap=True)


def print_rows(inferences: Iterable[Inference]) -> None:
    """A table on a terminal, else one line for each, the fields parted by tabs."""
    if not is_terminal(sys.stdout):
        for inference in inferences:
            print_row(inference)
        return
    table = list_table("time", "status", "endpoint", "inference", "failure")
    for inference in inferences:
        time, status, *others = map(shown, _row(inference))
        table.add_row(time, Text(status, style=_style(status)), *others)
    print_table(table)


def print_object(stored: StoredObject) -> None:
    """One line: when it was written, its size in bytes, and where it is."""
    time, location = timestamp(stored.last_modified), stored.location.uri
    if not is_terminal(sys.stdout):
        print_fields(time, str(stored.size), location)
        return
    line = Text.assemble((time, "dim"), f"  {stored.size:>13,}  {shown(location)}")
    console(sys.stdout).print(line, soft_wrap=True)


def print_summary(days: Sequence[DaySummary]) -> None:
    """Counts and latencies of each day; on a terminal with the latencies of all days as bars."""
    if not is_terminal(sys.stdout):
        for day in days:
            by_status = " ".join(f"{status}={count}" for status, count in day.counts.items())
            print_fields(day.day.isoformat(), by_status, *_latencies(day.latency))
        return
    statuses = list(dict.fromkeys(status for day in days for status in day.counts))
    table = list_table("day", *map(shown, statuses), "p50 ms", "p90 ms", "p99 ms", right=True)
    for day in days:
        counts = (str(day.counts.get(status, 0)) for status in statuses)
        table.add_row(day.day.isoformat(), *counts, *_latencies(day.latency))
    print_table(table)
    for line in _histogram(days):
        console(sys.stdout).print(line, soft_wrap=True)


def print_changes(found: Iterable[Change]) -> None:
    """In a pipe a line of member, value before, value after; on a terminal a line for each."""
    for each in found:
        if not is_terminal(sys.stdout):
            print_fields(each.path, each.before, each.after)
            continue
        # Paths and ARNs are too long to stand side by side.
        console(sys.stdout).print(shown(each.path), soft_wrap=True)
        for mark, value, style in (("-", each.before, "red"), ("+", each.after, "green")):
            if value is not None:
                console(sys.stdout).print(f"  {mark} {shown(value)}", style=style, soft_wrap=True)


def list_table(*names: str, right: bool = False) -> Table:
    """For rows without lines between them; `right`: where the columns after the first stand."""
    first, *others = names
    return Table(
        Column(first, no_wrap=True),
        *(Column(name, no_wrap=True, justify="right" if right else "left") for name in others),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def print_table(table: Table) -> None:
    """As wide as it is: the terminal wraps the lines, and an id can be copied in one piece."""
    console(sys.stdout, width=_ANY_WIDTH).print(table)


def _fields(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Names with dots; texts as they are, other values as JSON."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{path}{name}.")
        else:
            yield path + name, value if isinstance(value, str) else json.dumps(value)


def _row(inference: Inference) -> tuple[str, str, str, str, str]:
    """Time of the result (else of the request), status, endpoint, id, code of the failure."""
    time = inference.event_time or inference.submitted_at or inference.received_at
    return (
        timestamp(time) if time else "",
        inference.status,
        inference.endpoint_name,
        inference.inference_id,
        inference.failure.code if inference.failure else "",
    )


def _style(status: str) -> str:
    return _STYLES.get(status, "red")


def _shortened(value: str) -> str:
    if len(value) <= _LONGEST_VALUE:
        return shown(value)
    return f"{shown(value[:_LONGEST_VALUE])}... ({len(value)} characters; --json shows all)"


def _latencies(latency: Latency | None) -> tuple[str, str, str]:
    if latency is None:
        return "", "", ""
    return str(latency.p50_ms), str(latency.p90_ms), str(latency.p99_ms)


def _histogram(days: Iterable[DaySummary]) -> Iterator[str]:
    """A bar for each bucket, over all days."""
    counts: Counter[int] = Counter()
    for day in days:
        if day.latency:
            counts.update({each.up_to_ms: each.count for each in day.latency.histogram})
    highest = max(counts.values(), default=0)
    for up_to_ms, count in sorted(counts.items()):
        bar = "#" * (-(-count * _BAR_WIDTH // highest) if highest else 0)
        yield f"up to {up_to_ms:>9,} ms  {bar} {count:,}"
