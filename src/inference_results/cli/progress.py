"""Progress bars."""

import sys

from rich.progress import (
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from inference_results.cli.terminal import console, is_terminal


def progress_bar(*columns: ProgressColumn) -> Progress:
    """Show a spinner, the task's description, `columns` and the elapsed time on standard error.

    The bar disappears when it stops. If standard error is not a terminal, nothing is shown.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        *columns,
        TimeElapsedColumn(),
        console=console(sys.stderr),
        disable=not is_terminal(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
