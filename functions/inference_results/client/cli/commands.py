"""The commands, their options and their help."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from inference_results.client.cli.connection import Connection
from inference_results.client.cli.exits import (
    WrongCall,
    end_by_outcome,
    exit_codes,
    expected_errors,
)
from inference_results.client.cli.following import PAGE_SIZE, Following
from inference_results.client.cli.moments import moment
from inference_results.client.cli.saving import save_to_file, write_to_stdout
from inference_results.client.cli.terminal import note, print_json
from inference_results.client.cli.views import (
    print_record,
    print_row,
    print_rows,
    print_summary,
)
from inference_results.client.cli.waiting import ended
from inference_results.client.inference import DaySummary, Inference
from inference_results.domain.inference import Status

_CONNECTION: Final = "Whom to ask"


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with expected_errors():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    name="inference-results",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=exit_codes(),
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    app()


def _point_in_time(text: str) -> datetime:
    try:
        return moment(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _known_status(text: str) -> str:
    return {str(status).lower(): str(status) for status in Status}.get(text.lower(), text)


def _statuses(incomplete: str) -> list[str]:
    return [status for status in Status if status.lower().startswith(incomplete.lower())]


Id = Annotated[
    str, typer.Argument(metavar="ID", help="The inference id; after -- if it begins with -.")
]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Inference ids.")]
Endpoint = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this endpoint.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, as the API answers it.")]


@app.callback()
def connect(
    ctx: typer.Context,
    api_url: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_API_URL",
            help="URL of the HTTP API.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_TABLE",
            help="Name of the table, to read it without the API.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_SHARDS",
            min=1,
            help="Shards of the table's indexes, as deployed.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    summaries_table: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_SUMMARIES_TABLE",
            help="Name of the table of summaries, beside --table.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_TOKEN",
            help="JWT for the API; without it requests are signed with AWS credentials. "
            "Others can see it on a command line: set the variable.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="AWS profile.", rich_help_panel=_CONNECTION),
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Ask what became of SageMaker asynchronous inferences.

    Give --api-url or --table before the command, or set the variables.

    \b
    Examples:
      export INFERENCE_RESULTS_API_URL=https://abc123.execute-api.eu-west-1.amazonaws.com
      inference-results get 1234
      inference-results --profile staging wait 1234 5678 --timeout 600
      inference-results --table inferences --shards 10 list --status Failed
    """
    ctx.obj = Connection(
        api_url=api_url,
        table=table,
        shards=shards,
        summaries_table=summaries_table,
        token=token,
        profile=profile,
        endpoint=endpoint,
    )


@app.command()
def get(
    ctx: typer.Context, inference_id: Id, endpoint: Endpoint = None, json: AsJson = False
) -> None:
    """Show the record of an inference.

    On a terminal as a panel; in a pipe one line for each field: name, tab, value. Ends with 0
    whatever the status is.

    \b
    Examples:
      inference-results get 1234
      inference-results get 1234 --endpoint speech --json | jq .output.location
    """
    connection: Connection = ctx.obj
    with connection.open() as client:
        inference = client.get(inference_id, endpoint=endpoint or connection.endpoint)
    if json:
        print_json(inference.raw, spread=True)
    else:
        print_record(inference)


@app.command()
def wait(
    ctx: typer.Context,
    inference_ids: Ids,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to wait.")
    ] = 900,
    endpoint: Endpoint = None,
    json: AsJson = False,
) -> None:
    """Wait until inferences end, and show each as it does.

    An id that is not recorded is waited for too: it may come. The exit code tells the outcome: 0
    if all are Completed, 1 if one is not, 4 if one has not ended in time (whatever the others are),
    3 if nothing was ever recorded of those that have not ended.

    \b
    Lines: time, status, endpoint, id, code of the failure (JSON: the record). In a pipe they are
    parted by tabs.

    \b
    Examples:
      inference-results wait 1234 && inference-results output 1234 --to out.json
      inference-results wait 1234 5678 --timeout 600 --json
    """
    connection: Connection = ctx.obj
    ids = list(dict.fromkeys(inference_ids))
    statuses = []
    with connection.open() as client:
        for inference in ended(client, ids, timeout, endpoint or connection.endpoint):
            statuses.append(inference.status)
            _print_line(inference, json=json)
    end_by_outcome(statuses)


@app.command(name="list")
def list_inferences(
    ctx: typer.Context,
    endpoint: Endpoint = None,
    status: Annotated[
        str | None,
        typer.Option(
            parser=_known_status,
            autocompletion=_statuses,
            metavar="STATUS",
            help="InProgress, Completed, Failed, Expired, Lost or another.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=_point_in_time, metavar="TIME", help="From this time on."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=_point_in_time, metavar="TIME", help="Before this time."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="How many at most; of --follow: to begin with.")
    ] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new records.")] = False,
    every: Annotated[
        float, typer.Option(min=0.5, metavar="SECONDS", help="How often --follow looks.")
    ] = 5,
    json: AsJson = False,
) -> None:
    """List inferences, newest first.

    Without an endpoint, a status other than Completed is needed. TIME is a time ago (30s, 30m, 2h,
    7d, 1w) or a timestamp with an offset (2026-01-25T22:46:00Z).

    \b
    In a pipe: lines of time, status, endpoint, id, code of the failure, parted by tabs, without a
    heading. With --json: a record in each line.

    With --follow the order is that of time, and new records are shown as they come, until Ctrl-C
    (exit code 130); an inference comes again when its status changes. A record that comes more
    than two minutes after its own time is not seen.

    \b
    Examples:
      inference-results list --endpoint speech --since 2h
      inference-results list --status Failed --since 7d --json | jq -r .inference_id
      inference-results list --endpoint speech --follow --limit 0
    """
    connection: Connection = ctx.obj
    if follow and until:
        raise WrongCall("--follow has no end: leave out --until")
    endpoint = endpoint or connection.endpoint
    with connection.open() as client:
        if follow:
            following = Following(
                client=client,
                endpoint=endpoint,
                status=status,
                since=since,
                limit=limit,
                pause_seconds=every,
            )
            for inference in following:
                _print_line(inference, json=json)
        else:
            found = client.list(
                endpoint=endpoint,
                status=status,
                since=since,
                until=until,
                page_size=max(1, min(limit, PAGE_SIZE)),
            )
            _print_list(list(islice(found, limit)), json=json)


@app.command()
def output(
    ctx: typer.Context,
    inference_id: Id,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            allow_dash=True,
            help="Where to save it, replacing what is there; - is the standard output.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write binary to a terminal.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Write the output of an inference, byte for byte.

    To the standard output, or to a file, which is there whole or not at all. Bytes that are not
    UTF-8 text, or would steer the terminal, are not written to one without --force.

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


@app.command()
def summary(
    ctx: typer.Context,
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Name of the endpoint.")],
    days: Annotated[int, typer.Option(min=1, max=31, help="Days of UTC, with today.")] = 7,
    json: AsJson = False,
) -> None:
    """Count the results of an endpoint by day and status, with their latencies.

    Latency is from receiving the request to the result, in milliseconds. Only days with results
    are shown, the newest first; on a terminal the bars tell how many results took how long.

    \b
    In a pipe: lines of day, counts by status, 50th, 90th and 99th percentile, parted by tabs.

    \b
    Examples:
      inference-results summary speech
      inference-results summary speech --days 31 --json | jq '.days[].counts'
    """
    connection: Connection = ctx.obj
    today = datetime.now(UTC).date()
    with connection.open() as client:
        found = client.summary(endpoint, since=today - timedelta(days=days - 1), until=today)
    if json:
        print_json(
            {"endpoint_name": endpoint, "days": [_document(day) for day in found]}, spread=True
        )
    elif found:
        print_summary(found)
    else:
        note("no results in these days")


def _print_line(inference: Inference, *, json: bool) -> None:
    if json:
        print_json(inference.raw)
    else:
        print_row(inference)


def _print_list(inferences: list[Inference], *, json: bool) -> None:
    if json:
        for inference in inferences:
            print_json(inference.raw)
    elif inferences:
        print_rows(inferences)
    else:
        note("no inferences found")


def _document(day: DaySummary) -> dict[str, Any]:
    """In the shape of the API."""
    known = {name: value for name, value in asdict(day).items() if value is not None}
    return known | {"day": day.day.isoformat()}
