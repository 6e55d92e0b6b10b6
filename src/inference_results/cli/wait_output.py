"""Waiting, with a bar on the standard error stream."""

import sys
from collections.abc import Iterator, Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

from inference_results.cli.terminal import console, is_terminal
from inference_results.client import Client
from inference_results.client.records import Inference


def ended(
    client: Client, inference_ids: Sequence[str], timeout: float, endpoint: str | None
) -> Iterator[Inference]:
    """The inferences in the order in which they end. Raises WaitTimeout."""
    with Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console(sys.stderr),
        disable=not is_terminal(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        waiting = bar.add_task("waiting", total=len(inference_ids))
        for inference in _as_completed(client, inference_ids, timeout, endpoint):
            # Without the bar, so that what is shown of the inference has the line for itself.
            bar.stop()
            yield inference
            bar.advance(waiting)
            bar.start()


def _as_completed(
    client: Client, inference_ids: Sequence[str], timeout: float, endpoint: str | None
) -> Iterator[Inference]:
    if len(inference_ids) == 1:
        yield client.wait(inference_ids[0], timeout, endpoint=endpoint)
    else:
        yield from client.as_completed(inference_ids, timeout, endpoint=endpoint)
