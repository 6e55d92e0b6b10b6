"""The Typer app: global options, and the commands in the order of the help."""

import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from inference_results.cli.commands import (
    backfill,
    dead_letters,
    doctor,
    endpoints,
    records,
    submit,
)
from inference_results.cli.connection import Connection
from inference_results.cli.exit_codes import ExitCode, exit_code_table, handle_errors
from inference_results.cli.options import utf8_text


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with handle_errors():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    name="inference-results",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: brackets need no escaping, and paragraphs wrap in a pipe as on a terminal.
    rich_markup_mode=None,
    epilog=exit_code_table(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(submit.submit)
app.command()(records.get)
app.command()(records.wait)
app.command("list")(records.list_records)
app.command()(records.output)
app.command()(records.summary)
app.command()(backfill.backfill)
app.command()(endpoints.attach)
app.command()(endpoints.detach)
app.command()(doctor.doctor)
app.add_typer(dead_letters.dead_letters)


def main() -> None:
    # The console's encoding cannot represent every id.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            # A normal exit waits for threads whose requests the service holds open.
            os._exit(ExitCode.INTERRUPTED)
        raise


@app.callback()
def connect(
    ctx: typer.Context,
    api_url: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_API_URL", metavar="URL", help="URL of the HTTP API."
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_TABLE",
            metavar="NAME",
            help="Table to use directly, instead of the API.",
        ),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_SHARDS",
            min=1,
            metavar="NUMBER",
            help="Number of shards of the table's indexes; required with --table.",
        ),
    ] = None,
    summaries_table: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_SUMMARIES_TABLE",
            metavar="NAME",
            help="Summaries table; required for summary with --table.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_TOKEN",
            metavar="JWT",
            help="Token for the API; without it, requests are signed with AWS credentials."
            " Prefer the variable: other users can see your command line.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="AWS profile for credentials and region."),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(parser=utf8_text, metavar="NAME", help="Default endpoint for the command."),
    ] = None,
) -> None:
    """Submit SageMaker asynchronous inferences and get their results.

    Pass --api-url or --table before the command, or set the environment variables.

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
