"""Options and arguments that several commands share, and their parsers."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from inference_results.cli.time_arguments import parse_time
from inference_results.contract import MAX_RETENTION_DAYS


def point_in_time(text: str) -> datetime:
    try:
        return parse_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def utf8_text(text: str) -> str:
    """Reject surrogates, which stand for undecodable bytes on the command line."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter("expected UTF-8 text") from error
    return text


InferenceId = Annotated[
    str,
    typer.Argument(
        parser=utf8_text, metavar="ID", help="Inference id; put -- before an id that starts with -."
    ),
]
EndpointName = Annotated[
    str | None,
    typer.Argument(
        parser=utf8_text,
        metavar="ENDPOINT",
        help="Endpoint name; default: --endpoint before the command.",
    ),
]
Endpoint = Annotated[
    str | None, typer.Option(parser=utf8_text, metavar="NAME", help="Only this endpoint.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Timeout = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait.")]
RetentionDays = Annotated[
    int,
    typer.Option(
        min=1,
        max=MAX_RETENTION_DAYS,
        metavar="NUMBER",
        help="How many days to keep records written to the table.",
    ),
]
