"""Wait for inferences with a progress bar."""

from collections.abc import Iterator, Sequence

from rich.progress import BarColumn, MofNCompleteColumn

from inference_results.cli.progress import progress_bar
from inference_results.client import Client
from inference_results.client.records import Inference


def wait_with_progress(
    client: Client, inference_ids: Sequence[str], timeout: float, endpoint: str | None
) -> Iterator[Inference]:
    """Yield inferences in the order in which they end. Raises WaitTimeout."""
    with progress_bar(BarColumn(), MofNCompleteColumn()) as bar:
        task = bar.add_task("waiting", total=len(inference_ids))
        for inference in _as_completed(client, inference_ids, timeout, endpoint):
            # Hide the bar while the caller prints the inference.
            bar.stop()
            yield inference
            bar.advance(task)
            bar.start()


def _as_completed(
    client: Client, inference_ids: Sequence[str], timeout: float, endpoint: str | None
) -> Iterator[Inference]:
    if len(inference_ids) == 1:
        yield client.wait(inference_ids[0], timeout, endpoint=endpoint)
    else:
        yield from client.as_completed(inference_ids, timeout, endpoint=endpoint)
