"""Baselines that wait by polling S3, without a record. Their requests are calculated, not counted.

They detect success only. If an inference fails without an S3FailurePath, they never end.
"""

from dataclasses import dataclass
from typing import Final

from benchmarks.cost.prices import Item
from benchmarks.cost.usage import Usage, by_part


@dataclass(frozen=True)
class Polling:
    """Polls at once and then every `seconds`. `reads_after` adds a GET that reads the output."""

    name: str
    seconds: int
    objects: int
    reads_after: bool

    def usage(self, inference_seconds: int) -> Usage:
        """Calculate the usage of one inference of this duration."""
        rounds = 1 - (-inference_seconds // self.seconds)
        requests = rounds * self.objects + (1 if self.reads_after else 0)
        return Usage(1, by_part({Item.S3_GET: requests}))


S3_POLLING: Final = (
    # docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html: get_output
    # reads the object, and sleeps 2 s after each NoSuchKey.
    Polling("AWS's documentation: GET every 2 s", 2, 1, reads_after=False),
    # sagemaker 2.257.7 and 3: WaiterConfig(max_attempts=60, delay=15), a HEAD each, then a GET.
    Polling("SageMaker SDK: HEAD every 15 s", 15, 1, reads_after=True),
    # With a failure path, a second waiter polls its object.
    Polling("SageMaker SDK with S3FailurePath", 15, 2, reads_after=True),
)
INFERENCE_SECONDS: Final = (60, 600)
