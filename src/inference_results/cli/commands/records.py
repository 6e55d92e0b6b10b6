"""The commands that read records: get, wait, list, output, summary."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from inference_results.cli import options
from inference_results.cli.commands._wait import wait_with_progress
from inference_results.cli.connection import Connection
from inference_results.cli.exit_codes import UsageError, exit_unless_completed
from inference_results.cli.follow import PAGE_SIZE, Follower
from inference_results.cli.output_files import save_to_file, write_to_stdout
from inference_results.cli.tables import print_record, print_row, print_rows, print_summary
from inference_results.contract import Status


def get(
    ctx: typer.Context,
    inference_id: options.InferenceId,
    endpoint: options.Endpoint = None,
    json: options.AsJson = False,
) -> None:
    """Show the record of an inference.

    Prints a panel on a terminal. In a pipe, prints one field per line: name, tab, value. The exit
    code is 0 whatever the status.

    \b
    Examples:
      inference-results get 1234
      inference-results get 1234 --endpoint speech --json | jq .output.location
    """
    connection: Connection = ctx.obj
    with connection.open() as client:
        inference = client.get(inference_id, endpoint=endpoint or connection.endpoint)
    print_record(inference, json=json)


def wait(
    ctx: typer.Context,
    inference_ids: Annotated[
        list[str],
        typer.Argument(
            parser=options.utf8_text,
            metavar="ID...",
            help="Inference ids; put -- before an id that starts with -.",
        ),
    ],
    timeout: options.Timeout = 900,
    endpoint: options.Endpoint = None,
    json: options.AsJson = False,
) -> None:
    """Wait for inferences to end, and print each one when it does.

    Also waits for ids that have no record yet. The exit code is 0 if every inference is Completed,
    and 1 if one is not. After a timeout it is 4, or 3 if none of the pending ids has a record.

    Prints one line per inference: time, status, endpoint, id and failure code, tab-separated in a
    pipe. With --json, each line is a record.

    \b
    Examples:
      inference-results wait 1234 && inference-results output 1234 --to out.json
      inference-results wait 1234 5678 --timeout 600 --json
    """
    connection: Connection = ctx.obj
    endpoint = endpoint or connection.endpoint
    unique_ids = list(dict.fromkeys(inference_ids))
    statuses = []
    with connection.open() as client:
        for inference in wait_with_progress(client, unique_ids, timeout, endpoint):
            statuses.append(inference.status)
            print_row(inference, json=json)
    exit_unless_completed(statuses)


def _parse_status(text: str) -> str:
    """Accept known statuses in any case, and unknown ones unchanged: new ones can appear."""
    known = {str(status).lower(): str(status) for status in Status}
    return known.get(text.lower(), options.utf8_text(text))


def _complete_status(incomplete: str) -> list[str]:
    """Keep the case that was typed: shells reject completions that change it."""
    found = (each for each in Status if each.lower().startswith(incomplete.lower()))
    return [incomplete + each[len(incomplete) :] for each in found]


def list_records(
    ctx: typer.Context,
    endpoint: options.Endpoint = None,
    status: Annotated[
        str | None,
        typer.Option(
            parser=_parse_status,
            autocompletion=_complete_status,
            metavar="STATUS",
            help="InProgress, Completed, Failed, Expired, Lost or another status.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=options.point_in_time, metavar="TIME", help="Start of the period, inclusive."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=options.point_in_time, metavar="TIME", help="End of the period, exclusive."
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="Maximum number of records; with --follow, how many to start with.",
        ),
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new records.")
    ] = False,
    every: Annotated[
        float,
        typer.Option(
            min=0.5, max=86400, metavar="SECONDS", help="How often --follow checks for records."
        ),
    ] = 5,
    json: options.AsJson = False,
) -> None:
    """List inferences, newest first.

    Without an endpoint, --status is required and cannot be Completed. TIME is relative (30s, 30m,
    2h, 7d, 1w) or a timestamp with an offset (2026-01-25T22:46:00Z).

    In a pipe, prints tab-separated lines without a header: time, status, endpoint, id and failure
    code. With --json, prints one record per line. Failure codes appear only with --status.

    With --follow, prints the last records, oldest first, and then new ones as they arrive, until
    Ctrl-C (exit code 130). An inference appears again when its status changes. A record that
    arrives more than two minutes late can be missed.

    \b
    Examples:
      inference-results list --endpoint speech --since 2h
      inference-results list --status Failed --since 7d --json | jq -r .inference_id
      inference-results list --endpoint speech --follow --limit 0
    """
    connection: Connection = ctx.obj
    if follow and until:
        raise UsageError("--until cannot be combined with --follow, which has no end")
    if not (limit or follow):
        raise UsageError("--limit 0 requires --follow: pass at least 1")
    endpoint = endpoint or connection.endpoint
    with connection.open() as client:
        if follow:
            follower = Follower(
                client=client,
                endpoint=endpoint,
                status=status,
                since=since,
                limit=limit,
                interval_seconds=every,
            )
            for inference in follower:
                print_row(inference, json=json)
        else:
            found = client.list(
                endpoint=endpoint,
                status=status,
                since=since,
                until=until,
                page_size=min(limit, PAGE_SIZE),
            )
            print_rows(list(islice(found, limit)), json=json)


def output(
    ctx: typer.Context,
    inference_id: options.InferenceId,
    to: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            allow_dash=True,
            metavar="FILE",
            help="Save to this file, replacing an existing one; - is standard output.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write binary output to a terminal.")
    ] = False,
    endpoint: options.Endpoint = None,
) -> None:
    """Write the output of an inference, byte for byte.

    Writes to standard output, or to a file, which is saved completely or not at all. Binary output
    and control characters are written to a terminal only with --force.

    \b
    Examples:
      inference-results output 1234 | jq .text
      inference-results output 1234 --to speech.wav
    """
    connection: Connection = ctx.obj
    endpoint = endpoint or connection.endpoint
    with connection.open() as client:
        if to is None or to == Path("-"):
            write_to_stdout(client, inference_id, endpoint, force=force)
        else:
            save_to_file(client, inference_id, endpoint, to)


def summary(
    ctx: typer.Context,
    endpoint: options.EndpointName = None,
    days: Annotated[
        int,
        typer.Option(min=1, max=31, metavar="NUMBER", help="How many days (UTC), including today."),
    ] = 7,
    json: options.AsJson = False,
) -> None:
    """Show result counts and latencies of an endpoint by day.

    Latency is the time from receiving the request to the result, in milliseconds. Days without
    results are omitted; the newest day comes first. On a terminal, a histogram shows the
    latencies of all days.

    In a pipe, prints tab-separated lines: day, counts by status, p50, p90 and p99.

    \b
    Examples:
      inference-results summary speech
      inference-results summary speech --days 31 --json | jq '.days[].counts'
    """
    connection: Connection = ctx.obj
    endpoint_name = connection.required_endpoint(endpoint)
    today = datetime.now(UTC).date()
    with connection.open() as client:
        found = client.summary(endpoint_name, since=today - timedelta(days=days - 1), until=today)
    print_summary(endpoint_name, found, json=json)
