"""A backfill with a bar on the standard error stream, and a word on where to go on."""

import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from inference_results.cli.exit_codes import stopped_by_kill
from inference_results.cli.tables import print_object
from inference_results.cli.terminal import (
    console,
    is_terminal,
    note,
    print_fields,
    print_json,
)
from inference_results.domain.reconciliation.backfill import (
    BackfillScope,
    ExaminedObject,
    ObjectStatus,
    StoredObject,
    backfill_id,
)
from inference_results.domain.reconciliation.known_locations import KnownLocations
from inference_results.domain.record.timestamps import timestamp
from inference_results.operations.backfill import RecordingOptions, TableBackfill


@dataclass(kw_only=True)
class Tally:
    """How far it came: what was found how often, and the last key."""

    counts: Counter[ObjectStatus] = field(default_factory=Counter)
    last_key: str | None

    def add(self, examined: ExaminedObject) -> None:
        self.counts[examined.finding] += 1
        self.last_key = examined.stored.location.key

    def figures(self, *, dry_run: bool) -> dict[str, int]:
        """`listed` is the sum of the others."""
        shown = (ObjectStatus.KNOWN, ObjectStatus.UNRECORDED if dry_run else ObjectStatus.RECORDED)
        figures = {str(each): self.counts[each] for each in (*shown, ObjectStatus.SKIPPED)}
        return {"listed": self.counts.total(), **figures}


def run_backfill(
    backfill: TableBackfill,
    extent: BackfillScope,
    recording: RecordingOptions | None,
    *,
    json: bool,
) -> None:
    """Without a `recording` it shows the objects that no record points to, else the figures."""
    dry_run = recording is None
    tally = Tally(last_key=extent.start_after)
    with _place_told(tally, dry_run=dry_run), stopped_by_kill(), _bar() as bar:
        backfill.check(extent.prefix)
        locations = bar.track(backfill.recorded_locations(), description="reading the table")
        known = KnownLocations(extent.prefix, locations)
        if dry_run:
            # The lines show how far it is, and have the terminal for themselves.
            bar.stop()
        examined = backfill.examined(extent, known, recording)
        for each in bar.track(examined, description="listing objects"):
            tally.add(each)
            if each.finding is ObjectStatus.UNRECORDED:
                _print_object(each.stored, json=json)
    _end(tally, extent, dry_run=dry_run, json=json)


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
        console=console(sys.stderr),
        disable=not is_terminal(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


@contextmanager
def _place_told(tally: Tally, *, dry_run: bool) -> Iterator[None]:
    """Tells how far it came, if it ends before its end."""
    with ExitStack() as ends_early:
        ends_early.callback(_tell_place, "stopped", tally, dry_run=dry_run)
        yield
        ends_early.pop_all()


def _tell_place(why: str, tally: Tally, *, dry_run: bool) -> None:
    if tally.last_key is not None:
        figures = _line(tally.figures(dry_run=dry_run))
        note(f"{why} ({figures}): go on with --start-after {shlex.quote(tally.last_key)}")


def _end(tally: Tally, extent: BackfillScope, *, dry_run: bool, json: bool) -> None:
    figures = tally.figures(dry_run=dry_run)
    reached = (
        tally.counts[ObjectStatus.RECORDED] + tally.counts[ObjectStatus.UNRECORDED] == extent.limit
    )
    if reached:
        _tell_place("the limit is reached", tally, dry_run=dry_run)
    elif dry_run:
        note(_line(figures))
    if dry_run:
        return
    if json:
        print_json(figures | {"last_key": tally.last_key})
    elif is_terminal(sys.stdout):
        print(_line(figures))
    else:
        for name, number in figures.items():
            print_fields(name, str(number))


def _line(figures: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in figures.items())


def _print_object(stored: StoredObject, *, json: bool) -> None:
    if json:
        print_json(
            {
                "inference_id": backfill_id(stored.location),
                "last_modified": timestamp(stored.last_modified),
                "size": stored.size,
                "location": stored.location.uri,
            }
        )
    else:
        print_object(stored)
