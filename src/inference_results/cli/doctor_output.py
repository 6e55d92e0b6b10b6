"""What the doctor found, shown."""

import sys
from collections import Counter
from dataclasses import asdict
from typing import Final

import typer
from rich.text import Text

from inference_results.cli.exit_codes import ExitCode
from inference_results.cli.terminal import (
    console,
    is_terminal,
    note,
    print_fields,
    print_json,
    shown,
)
from inference_results.operations.doctor.examination import Examination
from inference_results.operations.doctor.finding import Finding, Severity

_STYLES: Final = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.UNCHECKED: "magenta",
}


def show_examination(stack: str, examination: Examination, *, json: bool) -> None:
    """Raises Exit if there are findings."""
    for each in examination.findings:
        _show(each, json=json)
    counts = Counter(each.severity for each in examination.findings)
    if not counts:
        note(f"{stack}: healthy, {examination.checks} checks found nothing")
        return
    figures = ", ".join(f"{counts[each]} {each}" for each in Severity if counts[each])
    note(f"{stack}: {figures}, of {examination.checks} checks")
    raise typer.Exit(ExitCode.NOT_COMPLETED)


def _show(finding: Finding, *, json: bool) -> None:
    if json:
        print_json(asdict(finding))
    elif is_terminal(sys.stdout):
        _show_block(finding)
    else:
        print_fields(
            *(finding.severity, finding.symptom, finding.resource),
            *(finding.problem, finding.effect, finding.remedy),
        )


def _show_block(finding: Finding) -> None:
    head = Text.assemble(
        (finding.severity, _STYLES[finding.severity]),
        f"  {finding.symptom}  ",
        (shown(finding.resource), "dim"),
    )
    screen = console(sys.stdout)
    screen.print(head, soft_wrap=True)
    for text in (finding.problem, finding.effect, finding.remedy):
        screen.print(f"  {shown(text)}", soft_wrap=True)
