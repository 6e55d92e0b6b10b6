"""The command `backfill`."""

import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, TextColumn

from inference_results.cli import options
from inference_results.cli.connection import Connection
from inference_results.cli.exit_codes import UsageError, sigterm_as_interrupt
from inference_results.cli.progress import progress_bar
from inference_results.cli.tables import print_object
from inference_results.cli.terminal import is_terminal, print_fields, print_json, print_note
from inference_results.contract import DEFAULT_RETENTION_DAYS
from inference_results.domain.reconciliation.backfill import (
    BackfillScope,
    ExaminedObject,
    ObjectStatus,
)
from inference_results.domain.reconciliation.known_locations import KnownLocations
from inference_results.domain.record.errors import LocationRejected
from inference_results.domain.record.location import Location, parse_prefix
from inference_results.domain.record.result import NO_ENDPOINT
from inference_results.operations.backfill import RecordingOptions, TableBackfill

_NOTIFICATION_DELAY: Final = timedelta(hours=1)
"""The notification of a younger output can still be on its way."""


def _prefix(text: str) -> Location:
    try:
        return parse_prefix(options.utf8_text(text))
    except LocationRejected as error:
        raise typer.BadParameter(error.message) from error


def backfill(
    ctx: typer.Context,
    prefix: Annotated[
        Location,
        typer.Option(
            parser=_prefix, metavar="S3-URI", help="Where the outputs are: s3://bucket/prefix/."
        ),
    ],
    since: Annotated[
        datetime,
        typer.Option(
            parser=options.point_in_time,
            metavar="TIME",
            help="Only objects written at this time or later.",
        ),
    ],
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=options.point_in_time,
            metavar="TIME",
            help="Only objects written before this time; default: one hour ago.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            parser=options.utf8_text,
            metavar="NAME",
            help=f"Endpoint name for the records; default: {NO_ENDPOINT}.",
        ),
    ] = None,
    retention_days: options.RetentionDays = DEFAULT_RETENTION_DAYS,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="NUMBER", help="Stop after this many new records."),
    ] = None,
    start_after: Annotated[
        str | None,
        typer.Option(
            parser=options.utf8_text, metavar="KEY", help="Skip keys up to and including this one."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; show what would be recorded.")
    ] = False,
    json: options.AsJson = False,
) -> None:
    """Record outputs in S3 that no record points to.

    Use it for results from before you deployed this service. It works on the table directly
    (--table and --shards) with your permissions: dynamodb:Scan and dynamodb:UpdateItem on the
    table, s3:ListBucket on the bucket. Every object below the prefix counts as an output.

    A record has the time at which the object was written, and `source: backfill`. Its id is derived
    from the location: you can rerun the command, or resume it with --start-after after Ctrl-C, kill
    or an error. TIME has the same format as in `list`.

    Prints the totals on one line; in a pipe, one per line: name, tab, number. With --dry-run,
    prints one line per object: time, size in bytes, location.

    \b
    Examples:
      inference-results backfill --prefix s3://my-bucket/async-output/ --since 30d --dry-run
      inference-results backfill --prefix s3://my-bucket/async-output/ --since 30d
    """
    connection: Connection = ctx.obj
    until = until or datetime.now(UTC) - _NOTIFICATION_DELAY
    if since >= until:
        raise UsageError("--since must be before --until (default: one hour ago)")
    scope = BackfillScope(
        prefix=prefix, since=since, until=until, start_after=start_after, limit=limit
    )
    recording = None
    if not dry_run:
        recording = RecordingOptions(
            endpoint_name=endpoint or connection.endpoint or NO_ENDPOINT,
            retention=timedelta(days=retention_days),
        )
    with connection.open_backfill() as table:
        _run(table, scope, recording, json=json)


@dataclass(kw_only=True)
class _Totals:
    counts: Counter[ObjectStatus] = field(default_factory=Counter)
    last_key: str | None

    def add(self, examined: ExaminedObject) -> None:
        self.counts[examined.status] += 1
        self.last_key = examined.stored.location.key

    def by_name(self, *, dry_run: bool) -> dict[str, int]:
        new = ObjectStatus.UNRECORDED if dry_run else ObjectStatus.RECORDED
        statuses = (ObjectStatus.KNOWN, new, ObjectStatus.SKIPPED)
        return {"listed": self.counts.total()} | {str(each): self.counts[each] for each in statuses}

    def line(self, *, dry_run: bool) -> str:
        totals = self.by_name(dry_run=dry_run)
        return ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in totals.items())


def _run(
    backfill: TableBackfill,
    scope: BackfillScope,
    recording: RecordingOptions | None,
    *,
    json: bool,
) -> None:
    """Record the outputs; without `recording`, only print them."""
    dry_run = recording is None
    totals = _Totals(last_key=scope.start_after)
    columns = (BarColumn(), TextColumn("{task.completed:,.0f}"))
    with (
        _note_resume_key_on_error(totals, dry_run=dry_run),
        sigterm_as_interrupt(),
        progress_bar(*columns) as bar,
    ):
        backfill.check(scope.prefix)
        locations = bar.track(backfill.recorded_locations(), description="reading the table")
        known = KnownLocations(scope.prefix, locations)
        if dry_run:
            # The printed objects show the progress.
            bar.stop()
        examined = backfill.examine(scope, known, recording)
        for each in bar.track(examined, description="listing objects"):
            totals.add(each)
            if each.status is ObjectStatus.UNRECORDED:
                print_object(each.stored, json=json)
    _print_totals(totals, scope, dry_run=dry_run, json=json)


@contextmanager
def _note_resume_key_on_error(totals: _Totals, *, dry_run: bool) -> Iterator[None]:
    with ExitStack() as on_error:
        on_error.callback(_note_resume_key, "stopped", totals, dry_run=dry_run)
        yield
        on_error.pop_all()


def _note_resume_key(reason: str, totals: _Totals, *, dry_run: bool) -> None:
    if totals.last_key is not None:
        key = shlex.quote(totals.last_key)
        print_note(f"{reason} ({totals.line(dry_run=dry_run)}): continue with --start-after {key}")


def _print_totals(totals: _Totals, scope: BackfillScope, *, dry_run: bool, json: bool) -> None:
    new = totals.counts[ObjectStatus.RECORDED] + totals.counts[ObjectStatus.UNRECORDED]
    if new == scope.limit:
        _note_resume_key("reached the limit", totals, dry_run=dry_run)
    elif dry_run:
        print_note(totals.line(dry_run=True))
    if dry_run:
        return
    if json:
        print_json(totals.by_name(dry_run=False) | {"last_key": totals.last_key})
    elif is_terminal(sys.stdout):
        print(totals.line(dry_run=False))
    else:
        for name, number in totals.by_name(dry_run=False).items():
            print_fields(name, str(number))
