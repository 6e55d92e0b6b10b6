"""The command `doctor`."""

import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from inference_results.cli import options
from inference_results.cli.connection import Connection
from inference_results.cli.exit_codes import ExitCode
from inference_results.cli.terminal import (
    console,
    is_terminal,
    print_fields,
    print_json,
    print_note,
    printable,
)
from inference_results.operations.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    from inference_results.operations.doctor.report import DoctorReport

_STYLES: Final = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.UNCHECKED: "magenta",
}


def doctor(
    ctx: typer.Context,
    stack: Annotated[str, typer.Option("--stack", metavar="NAME", help="Stack of this service.")],
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            parser=options.utf8_text,
            metavar="NAME",
            help="Endpoint that must notify this service; repeat for several.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=options.point_in_time,
            metavar="TIME",
            help="Report records that became Lost at this time or later; default: one day ago.",
        ),
    ] = None,
    json: options.AsJson = False,
) -> None:
    """Check a deployment end to end.

    Prints problem, effect and remedy of each finding. Changes nothing.

    Compares topics, queues, functions, tables, schedule, bus and keys with the stack's template.
    Checks the endpoints that use the topics, and those named by --endpoint and the stack's
    settings. Reports lost records and dead letters.

    Calls AWS directly, with the credentials of --profile; needs no --api-url.

    Exits with 0 if there are no findings, otherwise with 1. A check that lacks a permission is a
    finding, and names the permission. In a pipe, prints tab-separated lines: severity, symptom,
    resource, problem, effect and remedy. TIME has the same format as in `list`.

    \b
    Examples:
      inference-results doctor --stack InferenceResults
      inference-results doctor --stack InferenceResults --endpoint speech --json | jq .remedy
    """
    connection: Connection = ctx.obj
    endpoints = [*([connection.endpoint] if connection.endpoint else []), *(endpoint or [])]
    now = datetime.now(UTC)
    # Imported here because it slows down the start of the other commands.
    from inference_results.operations.doctor.report import DoctorReport

    report = DoctorReport.create(
        connection.session(),
        stack,
        endpoints=tuple(dict.fromkeys(endpoints)),
        since=since or now - timedelta(days=1),
        now=now,
    )
    print_report(stack, report, json=json)


def print_report(stack: str, report: "DoctorReport", *, json: bool) -> None:
    """Print the findings. Raises Exit if there are any."""
    for finding in report.findings:
        _print_finding(finding, json=json)
    counts = Counter(finding.severity for finding in report.findings)
    if not counts:
        print_note(f"{stack}: healthy, {report.check_count} checks found nothing")
        return
    totals = ", ".join(f"{counts[each]} {each}" for each in Severity if counts[each])
    print_note(f"{stack}: {totals} in {report.check_count} checks")
    raise typer.Exit(ExitCode.NOT_COMPLETED)


def _print_finding(finding: Finding, *, json: bool) -> None:
    if json:
        print_json(asdict(finding))
    elif is_terminal(sys.stdout):
        _print_block(finding)
    else:
        print_fields(
            *(finding.severity, finding.symptom, finding.resource),
            *(finding.problem, finding.effect, finding.remedy),
        )


def _print_block(finding: Finding) -> None:
    header = Text.assemble(
        (finding.severity, _STYLES[finding.severity]),
        f"  {finding.symptom}  ",
        (printable(finding.resource), "dim"),
    )
    stdout = console(sys.stdout)
    stdout.print(header, soft_wrap=True)
    for text in (finding.problem, finding.effect, finding.remedy):
        stdout.print(f"  {printable(text)}", soft_wrap=True)
